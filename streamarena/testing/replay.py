"""A server that replays a cassette: the recorded bytes, at the recorded times, scaled or at once.

Invariants: a request gets the first exchange not yet used that it matches by method, target and body (JSON compared as
values, secrets removed on both sides); when all matching ones are used, `repeat` gives the last again. A request that
matches nothing gets status 404 in the shape of an API error that says what differs from the nearest recorded one.
With `verify`, leaving the context raises unless the requests were exactly the recorded ones, in the recorded order.
Cost: one parsed exchange a request in progress.
Not here: reading the file (`cassette.py`), recording (`recorder.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import orjson

from streamarena.errors import CassetteMismatchError, ConfigurationError
from streamarena.providers.error_bodies import error_body
from streamarena.providers.json_values import is_array, is_object
from streamarena.testing.cassette import Cassette, Exchange
from streamarena.testing.frames import LAST_CHUNK, Action, Frame, Plan, chunked
from streamarena.testing.records import RequestRecord
from streamarena.testing.redaction import Redactor
from streamarena.testing.server import LoopbackServer, answer

if TYPE_CHECKING:
    import os
    import ssl

    from streamarena.testing.connection import HTTPConnection, HTTPRequest

__all__ = ["CassetteServer"]

# Framing is the server's own business, and the recorded connection is not this one.
_HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "trailer", "date", "server"}
)


class CassetteServer(LoopbackServer):
    """Replays a cassette; use it as `async with CassetteServer(path) as server:` and talk to `server.url`.

    Args:
        cassette: a cassette or its path. A cassette that is passed in stays open.
        delay: factor on the recorded times: 1.0 as recorded, 0.5 twice as fast, 0.0 (default) without delay.
        match_body: whether bodies must match too; False matches by method and target alone.
        repeat: whether used exchanges may be given again once no unused one matches.
        verify: check on leaving that every recorded request came once, in order, and no other; implies no repeat.
        secrets: the texts that were given to the recorder, if any: requests hold them again.
        ssl_context: serve TLS with it.

    Attributes:
        misses: what was said to requests that matched nothing.

    Raises:
        CassetteError: the cassette cannot be read.
        CassetteMismatchError: on leaving, with `verify`; unless the body raised, whose error goes first.
    """

    def __init__(
        self,
        cassette: Cassette | str | os.PathLike[str],
        *,
        delay: float = 0.0,
        match_body: bool = True,
        repeat: bool = True,
        verify: bool = False,
        secrets: tuple[str, ...] = (),
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if not 0 <= delay < float("inf"):
            raise ConfigurationError(f"delay is a factor of at least 0, not {delay}")
        super().__init__(ssl_context=ssl_context)
        self._owned = not isinstance(cassette, Cassette)
        self.cassette = cassette if isinstance(cassette, Cassette) else Cassette(cassette)
        self.delay = delay
        self.misses: list[str] = []
        self._match_body = match_body
        self._repeat = repeat and not verify
        self._verify = verify
        self._redactor = Redactor(*secrets)
        self._keys = [self._key(each.method, each.target, each.request_body) for each in self.cassette]
        self._unused = dict.fromkeys(range(len(self._keys)))
        self._used: list[int] = []

    async def __aexit__(self, *exc_info: object) -> None:
        """Close; then, with `verify`, compare."""
        await self.close()
        if self._verify and (not exc_info or exc_info[0] is None):
            self.check()

    async def close(self) -> None:
        """Close the server, and the cassette where this server opened it."""
        try:
            await super().close()
        finally:
            if self._owned:
                self.cassette.close()

    def check(self) -> None:
        """Compare the requests that came with the recorded ones.

        Raises:
            CassetteMismatchError: one is missing, was not recorded, or came in another order.
        """
        differences = [*self.misses]
        differences += [f"recorded, but not requested: {_name(self._keys[index])}" for index in self._unused]
        if not differences and self._used != sorted(self._used):
            order = ", ".join(str(index + 1) for index in self._used)
            differences.append(f"requested in another order than recorded: {order}")
        if differences:
            raise CassetteMismatchError(self.cassette.path, differences)

    def request_received(self, connection: HTTPConnection, request: HTTPRequest) -> None:
        """Find the exchange and replay it."""
        self._redactor.headers(list(request.headers.items()))
        key = self._key(request.method, request.target, request.body)
        index = self._find(key)
        if index is None:
            miss = self._explain(key)
            self.misses.append(miss)
            answer(connection, 404, error_body("openai-chat", 404, miss))
            return
        exchange = self.cassette[index]
        record = RequestRecord(index + 1, "cassette", "", request.headers.get("x-request-id"))
        self.begin(connection, record, lambda: _frames(exchange, self.delay))

    # ------------------------------------------------------------ matching

    def _key(self, method: str, target: str, body: bytes) -> tuple[str, str, object]:
        """What two requests must have in common."""
        target = self._redactor.target(target)
        if not self._match_body:
            return method, target, None
        body = self._redactor.data(body)
        try:
            return method, target, orjson.loads(body)
        except orjson.JSONDecodeError:
            return method, target, body

    def _find(self, key: tuple[str, str, object]) -> int | None:
        """Return the exchange for a request, and mark it as used."""
        index = next((index for index in self._unused if self._keys[index] == key), None)
        if index is not None:
            del self._unused[index]
            self._used.append(index)
        elif self._repeat:
            index = next((index for index in reversed(range(len(self._keys))) if self._keys[index] == key), None)
        return index

    def _explain(self, key: tuple[str, str, object]) -> str:
        """Say what was asked for, and how it differs from the nearest recorded request."""
        if key in self._keys:
            return f"requested more often than recorded: {_name(key)}"
        near = next((each for each in self._keys if each[:2] == key[:2]), None)
        if near is None:
            recorded = ", ".join(dict.fromkeys(map(_name, self._keys))) or "nothing"
            return f"not recorded: {_name(key)}; recorded: {recorded}"
        return f"not recorded: {_name(key)} with this body; it differs in {_first_difference(near[2], key[2])}"


def _frames(exchange: Exchange, delay: float) -> Iterator[Frame]:
    """Render an exchange: a cut one ends where it was cut."""
    headers = [(name, value) for name, value in exchange.response_headers if name.lower() not in _HOP_BY_HOP]

    empty = exchange.status in {204, 304} or exchange.status < 200
    plan = Plan(exchange.status, headers, iter(()), 0 if empty else None)
    yield Frame(exchange.head_after * delay, plan.head())
    last = exchange.head_after
    for after, data in exchange.pieces:
        yield Frame(max(0.0, after - last) * delay, data if empty else chunked(data), tokens=1)
        last = max(last, after)
    end = b"" if empty or not exchange.complete else LAST_CHUNK
    action = Action.END if exchange.complete else Action.CLOSE
    yield Frame(max(0.0, exchange.ended - last) * delay, end, action=action)


def _name(key: tuple[str, str, object]) -> str:
    return f"{key[0]} {key[1]}"


def _first_difference(recorded: object, asked: object, path: str = "body") -> str:
    """Name the first place where two JSON values differ."""
    if is_object(recorded) and is_object(asked):
        for name in dict.fromkeys((*recorded, *asked)):
            if name not in asked or name not in recorded:
                return f"{path}.{name}, which is only in the {'recording' if name in recorded else 'request'}"
            if recorded[name] != asked[name]:
                return _first_difference(recorded[name], asked[name], f"{path}.{name}")
    if is_array(recorded) and is_array(asked):
        for number, (one, other) in enumerate(zip(recorded, asked, strict=False)):
            if one != other:
                return _first_difference(one, other, f"{path}[{number}]")
        return f"the length of {path}: {len(recorded)} recorded, {len(asked)} asked"
    return f"{path}: {str(recorded)[:80]!r} recorded, {str(asked)[:80]!r} asked"
