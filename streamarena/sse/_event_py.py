"""One server-sent event, in Python.

Invariants: an event never changes, owns its bytes, and keeps no view of the buffer that it came from. `raw_data` is
what the wire carried, joined with LF; everything else is derived from it when it is asked for.
Cost: one object without a garbage-collector header and one `bytes`; text and JSON are decoded at each access and not
kept, so that a retained event holds its data once.
Not here: how events are found (`_parser_py.py`) and written (`encoding.py`). `_parser_cy.pyx` holds the compiled twin.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, TypeVar, cast, overload

import msgspec
import orjson

__all__ = ["ServerSentEvent"]

Typed = TypeVar("Typed")


class ServerSentEvent(msgspec.Struct, frozen=True, eq=True, gc=False):
    """An event as the stream's rules define it (WHATWG HTML, "Server-sent events", event stream interpretation).

    Attributes:
        raw_data: the event's data as bytes; its lines are joined with LF, the last one has none.
        event: the event's type; `message` where the stream names none.
        id: the stream's last event id when this event was dispatched: it holds over later blocks; empty if none came.
        retry: the last valid `retry` field inside this event's block, in milliseconds, or None.
    """

    raw_data: bytes = b""
    event: str = "message"
    id: str = ""
    retry: int | None = None

    @property
    def data(self) -> str:
        """The data as text. Bytes that are not UTF-8 become U+FFFD, as the standard asks; it never fails.

        Decoded at each access (about 50 ns for 250 bytes): bind it to a name to use it twice.
        """
        return self.raw_data.decode("utf-8", "replace")

    @overload
    def json(self) -> Any: ...  # noqa: ANN401 - any JSON value
    @overload
    def json(self, type: type[Typed]) -> Typed: ...
    def json(self, type: type[Typed] | None = None) -> Any:  # noqa: A002 - msgspec's name; any JSON value
        """Decode the data as JSON.

        Args:
            type: a type for msgspec to decode into and to validate against; without one orjson gives plain objects.

        Raises:
            orjson.JSONDecodeError: untyped, and the data is not JSON (a `ValueError`).
            msgspec.DecodeError: typed, and the data is not JSON; `msgspec.ValidationError` if it has another shape.
        """
        return decode_json(self.raw_data, type)


def decode_json(raw: bytes, type: type[Any] | None) -> Any:  # noqa: A002, ANN401 - as above
    """Decode JSON bytes, with stray non-UTF-8 bytes replaced; shared by both implementations."""
    if type is not None:
        return _typed_decoder(cast(Hashable, type)).decode(raw)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        # The standard replaces bytes that are not UTF-8, orjson refuses them. Plain bad JSON fails again below.
        text = raw.decode("utf-8", "replace")
    return orjson.loads(text)


@lru_cache(maxsize=256)
def _typed_decoder(type: Hashable) -> msgspec.json.Decoder[Any]:  # noqa: A002 - as above
    """Return the decoder of a type: building one costs microseconds, and programs have few types."""
    return msgspec.json.Decoder(cast(Any, type))
