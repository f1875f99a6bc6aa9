"""Cassettes: recorded exchanges with a model server, their bytes and their timing, as lines of JSON.

The first line names the format; each further line is one exchange: the request, the response's head, and the body in
the pieces in which it came, each with its time in seconds since the request was sent. Bytes that are UTF-8 are kept as
text, others as base64.

Invariants: secrets never reach the file (`redaction.py`); a file is written beside its name and renamed when it is
complete, so readers see the old one or the new one, and may map it; an exchange that passes a limit is left out as a
whole and counted, never cut.
Cost: reading maps the file and parses an exchange when it is asked for; 24 bytes of index an exchange.
Not here: where exchanges come from (`recorder.py`) and go to (`replay.py`).
"""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, overload

import msgspec
import orjson

from streamarena.errors import CassetteError
from streamarena.memory import MmapCache, default_manager
from streamarena.providers.json_values import is_object

__all__ = ["Cassette", "CassetteWriter", "Exchange", "FORMAT", "Piece"]

FORMAT: Final = "streamarena-cassette-1"


class Piece(NamedTuple):
    """Bytes of a response's body that came together, `after` seconds after the request was sent."""

    after: float
    data: bytes


class Exchange(msgspec.Struct, frozen=True):
    """One request and its response.

    Args:
        method, target, request_headers, request_body: as the client sent them, without secrets.
        status, response_headers: the response's head. head_after: when it came, seconds after the request was sent.
        pieces: the body.
        ended: when the body ended. complete: whether it ended as HTTP demands; otherwise it was cut there.
    """

    method: str
    target: str
    request_headers: list[tuple[str, str]]
    request_body: bytes
    status: int
    response_headers: list[tuple[str, str]]
    head_after: float
    pieces: list[Piece]
    ended: float
    complete: bool = True

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(piece.data for piece in self.pieces)


class Cassette(Sequence[Exchange]):
    """A recording, read from its file; exchanges are parsed when they are asked for.

    Use it as `with Cassette(path) as cassette:`, or call `close`, to give its file back to the cache.

    Args:
        path: of the file.
        files: the cache it is read through; None means the process's own.

    Raises:
        CassetteError: the file is missing or is no cassette.
    """

    def __init__(self, path: str | os.PathLike[str], files: MmapCache | None = None) -> None:
        self.path = os.fspath(path)
        try:
            # Not mapped as immutable: our writer replaces files by rename, but an editor or a checkout may not.
            self._file = (files or default_manager().files).get(self.path)
        except OSError as error:
            raise CassetteError(self.path, f"cannot be read: {error.strerror}") from None
        try:
            self._spans = self._index()
        except BaseException:
            self._file.release()
            raise

    def __len__(self) -> int:
        return len(self._spans)

    @overload
    def __getitem__(self, index: int) -> Exchange: ...
    @overload
    def __getitem__(self, index: slice) -> list[Exchange]: ...
    def __getitem__(self, index: int | slice) -> Exchange | list[Exchange]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        start, end, line = self._spans[index]
        with self._file.view as view:
            try:
                return _from_json(orjson.loads(view[start:end]))
            except (ValueError, KeyError, TypeError) as error:
                raise CassetteError(self.path, f"is no exchange: {error}", line) from None

    def close(self) -> None:
        """Give the file back."""
        self._file.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _index(self) -> list[tuple[int, int, int]]:
        """Find the lines and check the first."""
        spans = [span for span in self._lines() if span[1] > span[0]]
        try:
            with self._file.view as view:
                head = orjson.loads(view[spans[0][0] : spans[0][1]])
        except (orjson.JSONDecodeError, IndexError):
            head = None
        if not is_object(head) or head.get("format") != FORMAT:
            raise CassetteError(self.path, f"does not begin as a cassette; expected format {FORMAT!r}", 1)
        return spans[1:]

    def _lines(self) -> Iterator[tuple[int, int, int]]:
        data = bytes(self._file)
        start = line = 0
        while start < len(data):
            line += 1
            end = data.find(b"\n", start)
            end = len(data) if end < 0 else end
            yield start, end, line
            start = end + 1


class CassetteWriter:
    """Writes a cassette; the file appears, or replaces the old one, when the context is left without an error.

    Args:
        path: of the file; folders are made.
        max_exchange_bytes: largest body of a request or response.
        max_bytes: largest file.

    Attributes:
        exchanges: written. left_out: one line for each exchange that passed a limit.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_exchange_bytes: int = 16 * 2**20,
        max_bytes: int = 256 * 2**20,
    ) -> None:
        self.path = Path(path)
        self.max_exchange_bytes = max_exchange_bytes
        self.max_bytes = max_bytes
        self.exchanges = 0
        self.left_out: list[str] = []
        self._bytes = 0
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._temporary.open("wb")
        self._write({"format": FORMAT})

    def add(self, exchange: Exchange) -> bool:
        """Write an exchange; False where a limit leaves it out. Takes no secrets out: see `Redactor`."""
        size = max(len(exchange.request_body), sum(len(piece.data) for piece in exchange.pieces))
        if size > self.max_exchange_bytes:
            return self._leave_out(exchange, f"a body of {size} bytes; the limit is max_exchange_bytes")
        line = orjson.dumps(_to_json(exchange))
        if self._bytes + len(line) + 1 > self.max_bytes:
            return self._leave_out(exchange, f"the file would pass {self.max_bytes} bytes; the limit is max_bytes")
        self._bytes += self._file.write(line + b"\n")
        self.exchanges += 1
        return True

    def close(self) -> None:
        """Complete the file and give it its name. Again: nothing."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._temporary.replace(self.path)

    def discard(self) -> None:
        """Drop what was written; a file that was there before stays."""
        if not self._file.closed:
            self._file.close()
            with contextlib.suppress(FileNotFoundError):
                self._temporary.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _leave_out(self, exchange: Exchange, reason: str) -> bool:
        self.left_out.append(f"{exchange.method} {exchange.target}: {reason}")
        return False

    def _write(self, value: dict[str, Any]) -> None:
        self._bytes += self._file.write(orjson.dumps(value) + b"\n")


# ---------------------------------------------------------------- JSON


def _to_json(exchange: Exchange) -> dict[str, Any]:
    return {
        "request": {
            "method": exchange.method,
            "target": exchange.target,
            "headers": exchange.request_headers,
            "body": _text(exchange.request_body),
        },
        "response": {
            "status": exchange.status,
            "headers": exchange.response_headers,
            "after": round(exchange.head_after, 6),
            "pieces": [[round(piece.after, 6), _text(piece.data)] for piece in exchange.pieces],
            "ended": round(exchange.ended, 6),
            "complete": exchange.complete,
        },
    }


def _from_json(value: dict[str, Any]) -> Exchange:
    request, response = value["request"], value["response"]
    return Exchange(
        method=request["method"],
        target=request["target"],
        request_headers=[(name, text) for name, text in request["headers"]],
        request_body=_bytes(request["body"]),
        status=int(response["status"]),
        response_headers=[(name, text) for name, text in response["headers"]],
        head_after=float(response["after"]),
        pieces=[Piece(float(after), _bytes(data)) for after, data in response["pieces"]],
        ended=float(response["ended"]),
        complete=bool(response["complete"]),
    )


def _text(data: bytes) -> str | dict[str, str]:
    """UTF-8 as text, all else as base64: a piece may end inside a character."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def _bytes(value: str | dict[str, str]) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else base64.b64decode(value["base64"])
