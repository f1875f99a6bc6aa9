r"""Regular expressions that also know where a match could still begin: what a search over pieces of text needs.

Theory. If each part of a pattern that takes a character, A, is written `(?:A|\Z)`, the pattern matches up to the end of
a text exactly where what stands there could be the beginning of a match: the parts that find nothing left succeed at
the end. So the leftmost place from which that pattern reaches the end is where a match may still begin or go on.

Invariant: a pattern that this cannot be told of is refused when it is given. Refused are anchors to the end or start of
the whole text, looking ahead or behind, back references, conditions, flags in the middle, atomic groups, possessive
repetition, and what matches the empty text.
Cost: one walk over the pattern; searching costs what the pattern costs, twice.
Not here: how much text is held back for it (`stages.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from streamarena.errors import ConfigurationError

__all__ = ["PartialPattern"]

_TOKEN: Final = re.compile(
    r"""
    (?P<boundary> \\[bB] )
    | (?P<refused> \\[AZ1-9] | \^ | \$ | \(\?P= | \(\?<?[=!] | \(\?\( | \(\?> | \(\?[aiLmsux-]+\) )
    | (?P<group> \( (?: \?: | \?P<\w+> | \?[aimsu-]+: )? )
    | (?P<comment> \(\?\#[^)]*\) )
    | (?P<atom> \\N\{[^}]*\} | \\x..  | \\u.{4} | \\U.{8} | \\0[0-7]{0,2} | \\. | \[\^?\]?(?:\\.|[^\]\\])*\] )
    | (?P<repetition> (?: [*+?] | \{\d*,?\d*\} ) [+?]? )
    | (?P<kept> [)|] )
    | (?P<plain> . )
    """,
    re.VERBOSE | re.DOTALL,
)


class PartialPattern:
    """A pattern for text that comes in pieces.

    Args:
        pattern: as for `re`; flags inside or of a compiled one count. VERBOSE is refused.

    Raises:
        ConfigurationError: it is no pattern, matches the empty text, or uses what cannot be searched for in pieces.
    """

    def __init__(self, pattern: str | re.Pattern[str]) -> None:
        compiled = _compile(pattern)
        if compiled.flags & (re.VERBOSE | re.MULTILINE):
            raise ConfigurationError(f"{compiled.pattern!r}: neither VERBOSE nor MULTILINE can be used here")
        if compiled.search("") is not None:
            raise ConfigurationError(f"{compiled.pattern!r} matches the empty text")
        self._full = compiled
        source = "".join(_parts(compiled.pattern))
        self._partial = re.compile(rf"(?:{source})\Z", compiled.flags)

    def find(self, text: str, start: int) -> tuple[int, int] | None:
        """Return the first whole match from `start` on."""
        found = self._full.search(text, start)
        return None if found is None else found.span()

    def open_from(self, text: str, start: int) -> int:
        """Return where a match may still begin or go on, from `start` on; the text's length where nowhere."""
        found = self._partial.search(text, start)
        return len(text) if found is None else found.start()


def _compile(pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
        compiled.search("")
    except (re.error, TypeError) as error:
        raise ConfigurationError(f"{pattern!r} is no pattern for text: {error}") from None
    return compiled


def _parts(source: str) -> Iterator[str]:
    for token in _TOKEN.finditer(source):
        text = token[0]
        kind = token.lastgroup
        if kind == "refused" or (kind == "repetition" and len(text) > 1 and text.endswith("+")):
            raise ConfigurationError(f"{source!r}: {text} cannot be searched for in text that comes in pieces")
        match kind:
            case "boundary" | "atom" | "plain":
                yield rf"(?:{text}|\Z)"
            case "comment":
                pass
            case _:
                yield text
