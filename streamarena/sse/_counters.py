"""What a parser counts, one record for both implementations."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ParserCounters"]


class ParserCounters(NamedTuple):
    """What one stream has brought to its parser.

    Attributes:
        bytes: bytes fed; events: events returned; comments: complete comment lines;
        dropped: complete lines ignored as the standard says: unknown fields, an id with NUL, a retry that is no number.
    """

    bytes: int
    events: int
    comments: int
    dropped: int
