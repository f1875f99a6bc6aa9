r"""What ECMAScript makes of a string or template literal: escapes resolved, line ends normalised, nothing else touched.

Rules of ECMA-262: section 12.9.4 for strings, 12.9.6 for templates. In a template the line ends CR LF and CR of the
source count as LF; an escape `\r` stays a carriage return; a backslash before a line end yields nothing. Halves of a
surrogate pair that were written as two escapes are joined; a half that stays alone cannot be stored as UTF-8 and is an
error.
Cost: one regular expression over the text. Nothing is evaluated.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["LoneSurrogateError", "cook", "raw_template"]

_SIMPLE: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPE = re.compile(
    r"\\(?:u\{(?P<point>[0-9A-Fa-f]+)\}|u(?P<unit>[0-9A-Fa-f]{4})|x(?P<byte>[0-9A-Fa-f]{2})"
    r"|(?P<octal>[0-7]{1,3})|(?P<end>\r\n|[\n\r\u2028\u2029])|(?P<other>.))",
    re.DOTALL,
)


class LoneSurrogateError(ValueError):
    """Half of a surrogate pair stands alone, so the text is not Unicode."""


def cook(source: str, *, template: bool) -> str:
    """Return the value of the source text between two quotes or backticks.

    Args:
        source: the literal's inner text.
        template: whether it stands in a template literal, where line ends are normalised first.

    Raises:
        LoneSurrogateError: the value cannot be stored.
    """
    text = raw_template(source) if template else source
    if "\\" in text:
        text = _ESCAPE.sub(_resolve, text)
        if any("\ud800" <= character <= "\udfff" for character in text):
            try:
                text = text.encode("utf-16", "surrogatepass").decode("utf-16")
            except UnicodeDecodeError as error:
                raise LoneSurrogateError("half of a surrogate pair stands alone") from error
    return text


def raw_template(source: str) -> str:
    """Return the raw value of template text: line ends normalised, escapes kept."""
    return source.replace("\r\n", "\n").replace("\r", "\n")


def _resolve(match: re.Match[str]) -> str:
    if code := match["point"] or match["unit"] or match["byte"]:
        return chr(int(code, 16))
    if match["octal"]:
        return chr(int(match["octal"], 8))
    return "" if match["end"] else _SIMPLE.get(match["other"], match["other"])
