"""Reading and writing JSON without changing a number: orjson where it is exact, the standard library where it is not.

orjson reads integers beyond 64 bits as floats, refuses to write them, and knows no lone surrogates. Both are rare, and
both can be told from the bytes before parsing.
Invariant: what is read and written again has the same integers and the same texts.

Cost: that of orjson and one search; some ten times that for a document with an integer of 20 digits or more.
Not here: floats, which are doubles for every reader, and JavaScript's way of writing (`_javascript.py`).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

import orjson

__all__ = ["exact_json", "exact_json_bytes"]

_BEYOND_ORJSON: Final = re.compile(rb"[0-9]{19}|\\u[dD]")


def exact_json(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a JSON document, integers of any size exact.

    Raises:
        ValueError: it is not JSON, or holds a number that no float can hold or an integer of thousands of digits.
    """
    if _BEYOND_ORJSON.search(data) is None:
        return orjson.loads(data)
    try:
        return json.loads(data, parse_constant=_refused, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def exact_json_bytes(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Write a value that `exact_json` returned, compactly."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, or a lone surrogate, which JSON can escape and UTF-8 cannot hold
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def _refused(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is larger than any float")
    return value
