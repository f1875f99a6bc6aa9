"""What a tap has seen of a stream, in one object for observers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from streamarena.errors import ProviderError
    from streamarena.histogram import Histogram
    from streamarena.providers import UsageChunk

__all__ = ["TapSummary"]


class TapSummary(msgspec.Struct, frozen=True):
    """What passed; seconds count from the request's start.

    Attributes:
        api: the wire; None where it was not recognised. model: as the stream names it, or None.
        bytes, pieces: of the body; events: whole ones.
        first_event_seconds, first_content_seconds: None where none came. seconds: to the last piece.
        gaps: nanoseconds between pieces that brought content.
        usage: the provider's last word on tokens, or None. finish_reason: of the last choice that finished, or None.
        complete: whether the stream came to its own end; None on a wire that nobody knows.
        error: what the provider reported inside the stream, or None.
        problems: what could not be read; first_problem: says what it was. blind: whether the tap gave up reading.
    """

    api: str | None
    model: str | None
    bytes: int
    pieces: int
    events: int
    first_event_seconds: float | None
    first_content_seconds: float | None
    seconds: float | None
    gaps: Histogram
    usage: UsageChunk | None
    finish_reason: str | None
    complete: bool | None
    error: ProviderError | None
    problems: int
    first_problem: str | None
    blind: bool
