"""What is sent: one request, a conversation of several, and the sources that make them by number.

A source is a callable that takes a request's number and returns what is sent: a `LoadRequest`, a `Conversation`, or a
plain mapping, which is a body. Numbers begin at 0. Because the number decides, n workers that deal the numbers among
themselves send what one would.

Invariants: a source that comes with this room returns the same request for the same seed and number.
Not here: reading files (`datasets.py`, `traces.py`), bodies of each API (`bodies.py`), sending (`worker.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from streamarena.errors import ConfigurationError

__all__ = ["Conversation", "LoadRequest", "Message", "RequestSource", "as_load_request"]

Message: TypeAlias = Mapping[str, Any]


class LoadRequest(msgspec.Struct, frozen=True):
    """One request.

    Attributes:
        body: members of the request body, or the whole body as bytes (which must ask for a stream by itself).
        headers: laid over the plan's. path: replaces the API's path under the base URL.
        input_tokens: as its source states them; used where the server reports none.
        label: groups requests in per-request output.
    """

    body: Mapping[str, Any] | bytes
    headers: Mapping[str, str] | None = None
    path: str | None = None
    input_tokens: int | None = None
    label: str = ""


class Conversation(msgspec.Struct, frozen=True):
    """Several turns with one history: each reply is put behind its question before the next one is asked.

    Attributes:
        turns: the user's messages, in order. system: the system prompt, or None.
        think_seconds: before each turn but the first; the last one holds for all that follow.
        members: members of every request body beside the messages.
        max_history_tokens: histories are trimmed to this many tokens (estimated) with the context room's policy;
            None keeps everything.
        label: as for `LoadRequest`.
    """

    turns: Sequence[str]
    system: str | None = None
    think_seconds: Sequence[float] = (0.0,)
    members: Mapping[str, Any] = {}
    max_history_tokens: int | None = None
    label: str = ""

    def __post_init__(self) -> None:
        if not self.turns or isinstance(self.turns, str):
            raise ConfigurationError("a conversation needs a list of at least one turn")

    def think_before(self, turn: int) -> float:
        """Return the seconds to wait before a turn; turns begin at 0."""
        if turn == 0 or not self.think_seconds:
            return 0.0
        return self.think_seconds[min(turn - 1, len(self.think_seconds) - 1)]


RequestSource: TypeAlias = Callable[[int], LoadRequest | Conversation | Mapping[str, Any]]


def as_load_request(made: object) -> LoadRequest | Conversation:
    """Return what a source made, a plain mapping as a request.

    Raises:
        ConfigurationError: it is none of the three.
    """
    if isinstance(made, LoadRequest | Conversation):
        return made
    if isinstance(made, Mapping):
        return LoadRequest(made)  # pyright: ignore[reportUnknownArgumentType] - a mapping of the user's own making
    raise ConfigurationError(f"a request source returned {type(made).__name__}; it must return a LoadRequest or a body")
