"""A relay's settings from a TOML file; whatever is wrong is told with the file and the line.

Invariants: an unknown key is an error that names the nearest known one; no value of a secret is in the file, so that
every value may be shown; nothing is half applied.
Cost: read once, when a relay starts.
Not here: what the settings mean (`settings.py`).
Source: TOML 1.0, as the standard library's `tomllib` reads it.
"""

from __future__ import annotations

import difflib
import inspect
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias, TypeVar

import msgspec

from streamarena.client import Timeouts
from streamarena.errors import ConfigFileError, ConfigurationError
from streamarena.providers.json_values import is_array, is_object
from streamarena.relay.disconnect import DisconnectPolicy
from streamarena.relay.limits import StreamLimits
from streamarena.relay.settings import (
    AccessSettings,
    RelayLimits,
    RelaySettings,
    RetrySettings,
    RouteSettings,
    TargetSettings,
)
from streamarena.relay.status.page import PageSettings

__all__ = ["read_config"]

T = TypeVar("T")
_Key: TypeAlias = "str | int"

_MAX_BYTES: Final = 2**20
_TABLES: Final[Mapping[str, type[Any]]] = {
    "limits": RelayLimits,
    "timeouts": Timeouts,
    "stream": StreamLimits,
    "disconnect": DisconnectPolicy,
    "access": AccessSettings,
    "page": PageSettings,
}
_TOP: Final = ("targets", "routes", *_TABLES, "whole_reply_seconds", "shutdown_seconds")


def read_config(path: str | Path) -> RelaySettings:
    """Read a file.

    Raises:
        ConfigFileError: it cannot be read, is not TOML, or a key or value in it is wrong; `.line` says where.
    """
    name = str(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ConfigFileError(name, 0, f"cannot be read: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise ConfigFileError(name, 0, f"is larger than {_MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigFileError(name, data[: error.start].count(b"\n") + 1, "is not UTF-8") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, problem = _syntax_error(str(error), text)
        raise ConfigFileError(name, line, problem) from None
    return _Reader(name, text).settings(table)


class _Reader:
    """Makes settings of a parsed file."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._text = text

    def settings(self, data: dict[str, Any]) -> RelaySettings:
        self._check_keys(data, _TOP, ())
        named: object = data.get("targets", {})
        if not is_object(named):
            self._fail(("targets",), "each target is a [targets.NAME] of its own")
        targets = {name: self._table(table, TargetSettings, ("targets", name)) for name, table in named.items()}
        if not targets:
            self._fail(("targets",), "at least one [targets.NAME] is needed")
        routes: object = data.get("routes", [])
        if not is_array(routes):
            self._fail(("routes",), "each route is a [[routes]] of its own")
        whole: dict[str, Any] = {
            name: self._table(data[name], kind, (name,)) for name, kind in _TABLES.items() if name in data
        }
        for name in ("whole_reply_seconds", "shutdown_seconds"):
            if name in data:
                whole[name] = self._convert(data[name], float, (name,))
        made = tuple(self._route(route, number, targets) for number, route in enumerate(routes))
        try:
            return RelaySettings(targets=targets, routes=made, **whole)
        except ConfigurationError as error:
            self._fail((), str(error))

    def _route(self, table: object, number: int, targets: Mapping[str, TargetSettings]) -> RouteSettings:
        if is_object(table) and is_object(retry := table.get("retry")):
            self._check_keys(retry, _keys_of(RetrySettings), ("routes", number, "retry"))
        route = self._table(table, RouteSettings, ("routes", number))
        for member, choices in (("targets", route.targets), ("fallbacks", route.fallbacks)):
            for choice in (choices,) if isinstance(choices, str) else choices:
                name = choice if isinstance(choice, str) else choice.target
                if name not in targets:
                    self._fail(("routes", number, member), f"there is no target {name!r}{_near(name, targets)}")
        return route

    def _table(self, table: object, kind: type[T], place: tuple[_Key, ...]) -> T:
        if not is_object(table):
            self._fail(place, "must be a table")
        self._check_keys(table, _keys_of(kind), place)
        if place == ("timeouts",):  # TOML has no null: 0 is how a file says "no limit"
            table = {name: value if value or value is False else None for name, value in table.items()}
        return self._convert(table, kind, place)

    def _convert(self, value: object, kind: type[T], place: tuple[_Key, ...]) -> T:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            problem, _, path = str(error).partition(" - at `$")
            inner = re.findall(r"\.(\w+)", path)
            self._fail((*place, *inner[:1]), f"{'.'.join(inner)}: {problem}" if inner else problem)
        except ConfigurationError as error:  # says which key by beginning with it
            member = re.match(r"(?:\w+\.)?(\w+)", str(error))
            self._fail((*place, member[1]) if member else place, str(error))

    def _check_keys(self, table: Mapping[str, Any], known: Sequence[str], place: tuple[_Key, ...]) -> None:
        for key in table:
            if key not in known:
                self._fail((*place, key), f"there is no key {key!r} here{_near(key, known)}")

    def _fail(self, place: tuple[_Key, ...], problem: str) -> NoReturn:
        raise ConfigFileError(self._file, _line_of(place, self._text), problem) from None


def _keys_of(kind: type[object]) -> Sequence[str]:
    return list(inspect.signature(kind).parameters)


def _near(name: str, known: Sequence[str] | Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"


def _syntax_error(message: str, text: str) -> tuple[int, str]:
    """Take the line out of the parser's message."""
    found = re.search(r" \(at line (\d+), column \d+\)$", message)
    if found is None:  # at the end of the document
        return text.count("\n") + 1, message
    return int(found[1]), message[: found.start()]


_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY: Final = re.compile(r"""\s*["']?([^"'=]+?)["']?\s*=""")


def _line_of(place: tuple[_Key, ...], text: str) -> int:
    """Return the line on which the last key of a place stands, or its table begins; 1 where neither is found."""
    best = depth = 0
    here: tuple[_Key, ...] = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header is not None and (key is None or "=" not in line.partition("]")[0]):
            here = tuple(part.strip().strip("\"'") for part in header[2].split("."))
            if header[1] == "[[":
                name = header[2]
                here = (*here, counts.setdefault(name, 0))
                counts[name] += 1
            elif here[0] in counts:  # a table inside the array's last entry
                here = (here[0], counts[str(here[0])] - 1, *here[1:])
            found = here
        elif key is not None:
            found = (*here, *(part.strip().strip("\"'") for part in key[1].split(".")))
        else:
            continue
        shared = len(found) if found == place[: len(found)] else 0
        if shared > depth:
            best, depth = number, shared
    return best or 1
