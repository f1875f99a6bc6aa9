"""What a load test does, as one value: where, what, when, for how long, and what counts.

A plan travels to other processes and machines, so everything in it can be pickled; a request source of the user's own
must be importable there.

Invariants: a plan is checked when it is made; its repr shows no key.
Not here: running it (`load_test.py`, `worker.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from streamarena.client import Timeouts
from streamarena.errors import ConfigurationError
from streamarena.load.metrics import METRICS, metric
from streamarena.load.schedule import ClosedLoop, Schedule

if TYPE_CHECKING:
    from streamarena.load.requests import RequestSource
    from streamarena.pipeline import Pipeline

__all__ = ["DropStreams", "LoadPlan"]


@dataclass(frozen=True, slots=True)
class DropStreams:
    """A share of streams that the client leaves early, as users do who close the window.

    Attributes:
        share: of all requests, 0 to 1, chosen by seed and number.
        after_chunks: content chunks after which it leaves, or None. after_seconds: from the send, or None.
    """

    share: float
    after_chunks: int | None = None
    after_seconds: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ConfigurationError(f"a share lies between 0 and 1, not {self.share}")
        if (self.after_chunks is None) == (self.after_seconds is None):
            raise ConfigurationError("streams are dropped after_chunks or after_seconds: give one of the two")
        if (self.after_chunks or self.after_seconds or 0) <= 0:
            raise ConfigurationError("after_chunks and after_seconds must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """A load test.

    Attributes:
        url: the API's base URL. api: the wire API, as for `StreamClient`. model: put into bodies that name none.
        requests: makes each request by its number.
        schedule: when requests are sent.
        request_count: measured requests, or conversations; duration: seconds in which measured requests are sent.
            At least one is needed; with both, whichever ends first.
        warmup_requests, cooldown_requests: sent before and after the measured ones and left out of the results.
        warmup_seconds, cooldown_seconds: the same by time, around `duration`.
        drain_seconds: how long streams that are still open at the end may take; later ones count as `unfinished`.
        seed: of arrivals, prompts and chances.
        api_key, headers, path: as for `StreamClient`; timeouts: of each request.
        goodput: objectives in milliseconds by metric, such as `{"ttft": 500, "tpot": 50}`.
        drop: a share of streams to leave early.
        pipeline: synchronous stages that every stream goes through in the read callback, as an application's would.
        rows: whether every request is handed over for per-request output.
        stamps: whether those rows hold every stamp with its error bar, too.
        ids: prefix of the `x-request-id` header, or None to send none.
        max_in_flight: streams open at once in an open loop without a cap of its own.
    """

    url: str
    model: str = ""
    api: str = "openai-chat"
    requests: RequestSource
    schedule: Schedule = field(default_factory=lambda: ClosedLoop(1))
    request_count: int | None = None
    duration: float | None = None
    warmup_requests: int = 0
    cooldown_requests: int = 0
    warmup_seconds: float = 0.0
    cooldown_seconds: float = 0.0
    drain_seconds: float = 30.0
    seed: int = 0
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    path: str | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    goodput: Mapping[str, float] = field(default_factory=dict[str, float])
    drop: DropStreams | None = None
    pipeline: Pipeline[Any, Any] | None = None
    rows: bool = False
    stamps: bool = False
    ids: str | None = "load"
    max_in_flight: int = 10_000

    def __post_init__(self) -> None:
        if self.request_count is None and self.duration is None:
            raise ConfigurationError("a load test needs an end: request_count, duration, or both")
        if (self.request_count is not None and self.request_count < 1) or (
            self.duration is not None and not self.duration > 0
        ):
            raise ConfigurationError("request_count and duration must be positive")
        for name in ("warmup_requests", "cooldown_requests", "warmup_seconds", "cooldown_seconds", "drain_seconds"):
            if getattr(self, name) < 0:
                raise ConfigurationError(f"{name} cannot be negative")
        if self.cooldown_requests and self.request_count is None:
            raise ConfigurationError("cooldown_requests needs request_count; with duration use cooldown_seconds")
        if (self.warmup_seconds or self.cooldown_seconds) and self.duration is None:
            raise ConfigurationError("warmup_seconds and cooldown_seconds need duration")
        unknown = [name for name in self.goodput if getattr(metric(name), "name", None) not in _PER_REQUEST]
        if unknown:
            raise ConfigurationError(f"no objective is called {', '.join(unknown)}; there are {', '.join(_OBJECTIVES)}")

    @property
    def total_requests(self) -> int | None:
        """How many requests, or conversations, are sent in all; None where time decides."""
        if self.request_count is None:
            return None
        return self.warmup_requests + self.request_count + self.cooldown_requests

    @property
    def total_seconds(self) -> float | None:
        """For how long requests are sent; None where their number decides."""
        return None if self.duration is None else self.warmup_seconds + self.duration + self.cooldown_seconds

    def measures(self, number: int, seconds: float) -> bool:
        """Return whether the request of this number, sent so long after the start, counts."""
        if number < self.warmup_requests:
            return False
        if self.request_count is not None and number >= self.warmup_requests + self.request_count:
            return False
        if self.duration is None:
            return True
        return self.warmup_seconds <= seconds < self.warmup_seconds + self.duration


_PER_REQUEST: Final = ("setup", "ttft", "ttfo", "tpot", "itl", "gap", "e2e", "ttft_scheduled", "e2e_scheduled")
_OBJECTIVES: Final = tuple(each.key for each in METRICS if each.name in _PER_REQUEST)
