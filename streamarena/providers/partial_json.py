"""A push parser for JSON that is still coming: what has come so far is readable as a value at any time.

Invariants: each character is looked at once, however the text is cut; `value` is what any complete text with this
beginning would hold so far: an open string holds its beginning, an open number its longest valid beginning, a literal
is known by its first letter, a key without a value is left out. Malformed text changes nothing: the last good value
stays, and `malformed` says where it went wrong.
Costs linear in the text; a piece inside a string costs one append. Reading `value` joins the open string, so reading it
after every piece costs a copy of that string each time, which is the least that immutable text can cost.
Limits: `max_depth` of nesting, 4,300 digits. Not here: schemas and coercion (`tools.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

__all__ = ["PartialJSON"]

_STRING_STOP: Final = re.compile(r'["\\]')
_SCALAR: Final = re.compile(r"[-+.0-9a-zA-Z]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_LITERALS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}
_ESCAPES: Final = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_MAX_DIGITS: Final = 4300  # what int() converts by default

# What may come next. The order matters: a string may begin up to _KEY_OR_END, any other value up to _VALUE_OR_END.
_VALUE, _VALUE_OR_END, _KEY, _KEY_OR_END, _COLON, _COMMA_OR_END, _DONE = range(7)
# Or what is open.
_STRING, _ESCAPE, _OPEN_SCALAR = range(7, 10)


class PartialJSON:
    """Parse one JSON text in pieces.

    Args:
        max_depth: objects and arrays inside one another; deeper text counts as malformed.

    Attributes:
        malformed: what is wrong with the text, and where; None while nothing is. Further text is then ignored.
    """

    __slots__ = (
        "_containers",
        "_count",
        "_escape",
        "_high",
        "_in_object",
        "_innermost",
        "_is_key",
        "_key",
        "_keys",
        "_max_depth",
        "_pieces",
        "_root",
        "_shown",
        "_state",
        "malformed",
    )

    def __init__(self, *, max_depth: int = 256) -> None:
        self._max_depth = max_depth
        self._root: list[Any] = []
        self._containers: list[Any] = []
        self._innermost: Any = None  # the last of them
        self._in_object = False
        self._keys: list[str] = []  # the key under which each open container stands in the one around it
        self._key = ""
        self._state = _VALUE
        self._pieces: list[str] = []  # of the open string or scalar
        self._is_key = False
        self._shown = False  # the open value already stands in its array, as far as it has come
        self._escape = ""
        self._high = ""  # the first half of a surrogate pair, waiting for the second
        self._count = 0  # characters before the piece at hand
        self.malformed: str | None = None

    @property
    def complete(self) -> bool:
        """Whether a whole value has come. A number at the top is never complete: more digits could follow."""
        return self._state == _DONE and self.malformed is None

    @property
    def value(self) -> Any:  # noqa: ANN401 - any JSON value
        """What has come so far; None where nothing has. The same object grows with the text: copy it to keep it."""
        if self._state in (_STRING, _ESCAPE) and not self._is_key:
            text = "".join(self._pieces)
            self._pieces = [text]
            self._show(text)
        elif self._state == _OPEN_SCALAR:
            known, scalar = _beginning("".join(self._pieces))
            if known:
                self._show(scalar)
        return self._root[0] if self._root else None

    def feed(self, text: str) -> None:
        """Take the next piece of the text."""
        if self.malformed is not None:
            return
        # Most pieces are the inside of a long string.
        if self._state == _STRING and not self._high and '"' not in text and "\\" not in text:
            self._pieces.append(text)
            self._count += len(text)
            return
        position, end = 0, len(text)
        try:
            while position < end:
                position = _STEPS[self._state](self, text, position)
        except ValueError as error:
            self.malformed = str(error)
        self._count += end

    # ------------------------------------------------------------ structure

    def _structure(self, text: str, position: int) -> int:
        char, state = text[position], self._state
        if char == "," and state == _COMMA_OR_END:
            self._state = _KEY if self._in_object else _VALUE
        elif char == '"' and state <= _KEY_OR_END:
            self._is_key = state >= _KEY
            self._open(_STRING)
        elif char == ":" and state == _COLON:
            self._state = _VALUE
        elif char in " \t\r\n":
            pass
        elif char in "}]":
            self._pop(char, position)
        elif state > _VALUE_OR_END:
            raise self._problem(f"{char!r} is out of place", position)
        elif char == "{":
            self._push({}, position)
        elif char == "[":
            self._push([], position)
        else:
            self._open(_OPEN_SCALAR)
            return self._scalar(text, position)
        return position + 1

    def _open(self, state: int) -> None:
        self._state = state
        self._pieces = []
        self._shown = False

    def _push(self, container: dict[str, Any] | list[Any], position: int) -> None:
        if len(self._containers) >= self._max_depth:
            raise self._problem(f"it is nested deeper than max_depth, {self._max_depth}", position)
        self._shown = False
        self._show(container)
        self._shown = False
        self._containers.append(container)
        self._keys.append(self._key)
        self._innermost = container
        self._in_object = isinstance(container, dict)
        self._state = _KEY_OR_END if self._in_object else _VALUE_OR_END

    def _pop(self, char: str, position: int) -> None:
        ready = (_COMMA_OR_END, _KEY_OR_END) if char == "}" else (_COMMA_OR_END, _VALUE_OR_END)
        if not self._containers or self._in_object != (char == "}") or self._state not in ready:
            raise self._problem(f"{char!r} is out of place", position)
        self._containers.pop()
        self._key = self._keys.pop()
        self._innermost = self._containers[-1] if self._containers else None
        self._in_object = isinstance(self._innermost, dict)
        self._state = _COMMA_OR_END if self._containers else _DONE

    def _show(self, value: object) -> None:
        """Put a value, whole or as far as it has come, where it belongs."""
        innermost = self._innermost
        if self._in_object:
            innermost[self._key] = value
        elif innermost is None:
            self._root[:] = [value]
        elif self._shown:
            innermost[-1] = value
        else:
            innermost.append(value)
        self._shown = True

    def _hide(self) -> None:
        """Take away what was shown of a value that has turned out to be none."""
        self._state = _VALUE
        if not self._shown:
            return
        if self._in_object:
            del self._innermost[self._key]
        else:
            (self._root if self._innermost is None else self._innermost).pop()

    def _end_value(self, value: object) -> None:
        self._show(value)
        self._state = _DONE if self._innermost is None else _COMMA_OR_END

    # ------------------------------------------------------------ strings

    def _string(self, text: str, position: int) -> int:
        found = _STRING_STOP.search(text, position)
        stop = found.start() if found else len(text)
        if self._high and (stop > position or text[stop] == '"'):
            self._drop_half_pair()
        self._pieces.append(text[position:stop])
        if found is None:
            return stop
        if text[stop] == "\\":
            self._state, self._escape = _ESCAPE, ""
            return stop + 1
        whole = "".join(self._pieces)
        if self._is_key:
            self._key, self._state = whole, _COLON
        else:
            self._end_value(whole)
        return stop + 1

    def _escaped(self, text: str, position: int) -> int:
        self._escape += text[position]
        escape = self._escape
        if escape[0] == "u":
            if len(escape) == 5:
                self._state = _STRING
                self._unicode(escape[1:], position)
            return position + 1
        if escape not in _ESCAPES:
            raise self._problem(f"\\{escape} is no escape", position)
        self._state = _STRING
        self._drop_half_pair()
        self._pieces.append(_ESCAPES[escape])
        return position + 1

    def _unicode(self, digits: str, position: int) -> None:
        if not all(digit in "0123456789abcdefABCDEF" for digit in digits):
            raise self._problem(f"\\u{digits} is no escape", position)
        char = chr(int(digits, 16))
        if "\udc00" <= char <= "\udfff" and self._high:
            pair = (self._high + char).encode("utf-16", "surrogatepass").decode("utf-16")
            self._high = ""
            self._pieces.append(pair)
            return
        self._drop_half_pair()
        if "\ud800" <= char <= "\udbff":
            self._high = char
        else:
            self._pieces.append("\ufffd" if "\udc00" <= char <= "\udfff" else char)

    def _drop_half_pair(self) -> None:
        if self._high:
            self._high = ""
            self._pieces.append("\ufffd")

    # ------------------------------------------------------------ numbers and literals

    def _scalar(self, text: str, position: int) -> int:
        found = _SCALAR.match(text, position)
        stop = found.end() if found else position
        self._pieces.append(text[position:stop])
        if stop == len(text):
            return stop
        token = "".join(self._pieces)
        known, value = _whole(token)
        if not known:
            self._hide()
            raise self._problem(f"{token[:40]!r} is no value", stop)
        self._end_value(value)
        return stop

    def _problem(self, what: str, position: int) -> ValueError:
        return ValueError(f"{what} (character {self._count + position})")


def _whole(token: str) -> tuple[bool, Any]:
    if token in _LITERALS:
        return True, _LITERALS[token]
    found = _NUMBER.fullmatch(token) if len(token) <= _MAX_DIGITS else None
    return (False, None) if found is None else (True, _number(token))


def _beginning(token: str) -> tuple[bool, Any]:
    """Return what a token that may still grow stands for, if that is known."""
    for literal, value in _LITERALS.items():
        if token and literal.startswith(token):
            return True, value
    found = _NUMBER.match(token[:_MAX_DIGITS])
    return (False, None) if found is None else (True, _number(found.group()))


def _number(token: str) -> int | float:
    return int(token) if token.lstrip("-").isdecimal() else float(token)


_STEPS: Final[tuple[Callable[[PartialJSON, str, int], int], ...]] = (
    *([PartialJSON._structure] * 7),
    PartialJSON._string,
    PartialJSON._escaped,
    PartialJSON._scalar,
)
