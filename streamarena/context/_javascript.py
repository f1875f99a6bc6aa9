"""What JavaScript does differently, for behaviour that must match programs written in it.

The reference policies were recorded from programs that count UTF-16 code units, divide by zero without an exception,
treat `0`, `""` and `NaN` as false and `{}` as true, and keep integer-like object keys first. Each function here is one
of those rules and nothing else; a caller that does not need the rule does not import it.

Cost: linear in the input; `utf16` copies its text once only when the text holds astral characters.
Not here: a general JSON writer for our own wire bodies (orjson is used there).
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

__all__ = [
    "WHITESPACE",
    "divide",
    "entries",
    "from_utf16",
    "member_text",
    "number_text",
    "stringify",
    "text_of",
    "trim",
    "truthy",
    "utf16",
]

# White space and line terminators of ECMAScript: U+FEFF is one, U+0085 and U+001C..U+001F are not.
WHITESPACE: Final = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f"
    "\u205f\u3000\ufeff"
)
_UTF16: Final = "utf-16-le" if sys.byteorder == "little" else "utf-16-be"
_MAX_INDEX: Final = 2**32 - 2
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def trim(text: str) -> str:
    """Strip what `String.prototype.trim` strips."""
    return text.strip(WHITESPACE)


def truthy(value: object) -> bool:
    """Tell what `Boolean(value)` tells: empty objects and lists are true, `NaN` is false."""
    if isinstance(value, float) and math.isnan(value):
        return False
    return bool(value) or not (value is None or isinstance(value, str | int | float))


def divide(numerator: float, denominator: float) -> float:
    """Divide as doubles do: `x / 0` is an infinity and `0 / 0` is not a number."""
    if denominator:
        return numerator / denominator
    if not numerator or math.isnan(numerator) or math.isnan(denominator):
        return math.nan
    return math.copysign(math.inf, numerator) * math.copysign(1.0, denominator)


def utf16(text: str) -> str:
    """Return the text as one character for each UTF-16 code unit; surrogates appear as lone characters.

    Slicing, searching and `len` on the result are what JavaScript does on the text itself.
    """
    if text.isascii() or max(text) <= "\uffff":
        return text
    return "".join(map(chr, memoryview(text.encode(_UTF16, "surrogatepass")).cast("H")))


def from_utf16(units: str) -> str:
    """Join surrogate pairs again; a lone surrogate stays as it is."""
    if _LONE_SURROGATE.search(units) is None:
        return units
    return units.encode(_UTF16, "surrogatepass").decode(_UTF16, "surrogatepass")


def _is_index(key: str) -> bool:
    return key.isascii() and key.isdigit() and (key == "0" or key[0] != "0") and int(key) <= _MAX_INDEX


def entries(mapping: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Return the items in the order of a JavaScript object: array indices ascending, then the rest as inserted."""
    indices = [key for key in mapping if key[:1].isdigit() and _is_index(key)]
    if not indices:
        return mapping.items()
    indices.sort(key=int)
    return [*((key, mapping[key]) for key in indices), *((k, v) for k, v in mapping.items() if k not in set(indices))]


def number_text(value: float) -> str:
    """Write a number as `Number.prototype.toString` does: no `.0`, exponents only from 1e21 and below 1e-6."""
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        number = float(value)
    except OverflowError:
        return "Infinity" if value > 0 else "-Infinity"
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    return sign + _place(digits, point)


def _place(digits: str, point: int) -> str:
    """Set the decimal point into significant digits by the thresholds of ECMAScript 6.1.6.1.20."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    exponent = f"e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return (digits if count == 1 else f"{digits[0]}.{digits[1:]}") + exponent


def _quote(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return _LONE_SURROGATE.sub(lambda match: f"\\u{ord(match.group()):04x}", quoted)


def stringify(value: Any, indent: int = 0) -> str:  # noqa: ANN401 - any JSON value
    """Write a JSON value as `JSON.stringify(value, null, indent)` does."""
    return _write(value, " " * indent, "")


def _write(value: Any, step: str, margin: str) -> str:  # noqa: ANN401 - any JSON value
    if value is None:
        return "null"
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, bool | int | float):
        text = number_text(value)
        return "null" if text in {"NaN", "Infinity", "-Infinity"} else text
    inner = margin + step
    if isinstance(value, Mapping):
        colon = ": " if step else ":"
        mapping = cast(Mapping[str, Any], value)
        parts = [f"{_quote(key)}{colon}{_write(item, step, inner)}" for key, item in entries(mapping)]
        return _enclose("{", "}", parts, step, margin)
    parts = [_write(item, step, inner) for item in cast(Iterable[Any], value)]
    return _enclose("[", "]", parts, step, margin)


def _enclose(opening: str, closing: str, parts: list[str], step: str, margin: str) -> str:
    if not parts:
        return opening + closing
    if not step:
        return opening + ",".join(parts) + closing
    inner = f"\n{margin}{step}"
    return f"{opening}{inner}{f',{inner}'.join(parts)}\n{margin}{closing}"


def member_text(value: object, key: str) -> str:
    """Return what a template literal shows of a member: "undefined" where it is missing."""
    if not isinstance(value, Mapping):
        return "undefined"
    mapping = cast(Mapping[str, Any], value)
    return text_of(mapping[key]) if key in mapping else "undefined"


def text_of(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return `String(value)` of a JSON value."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return number_text(value)
    if isinstance(value, Mapping):
        return "[object Object]"
    return ",".join("" if item is None else text_of(item) for item in cast(Iterable[Any], value))
