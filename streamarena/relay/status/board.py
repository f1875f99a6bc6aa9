"""What the page shows: an observer that keeps the present and the last minutes in bounded memory.

Invariants: every list has a limit; what is older than two windows is forgotten; there is no key, no header, no query
and no text of a stream in it, and of an error only its kind and its message, cut short.
Cost: a few microseconds a request; a snapshot walks over what is kept, once a second while somebody looks.
Not here: who may look (`page.py`), other processes: each worker shows itself.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from streamarena.errors import ProviderError
from streamarena.histogram import Histogram, bucket_bounds
from streamarena.relay.observing import ExchangeFinished, FirstContentSent

if TYPE_CHECKING:
    from streamarena.memory import MemoryManager
    from streamarena.relay.observing import ExchangeMoment, ResponseStarted

__all__ = ["Board"]

_WINDOW_SECONDS: Final = 300.0
_RATE_SECONDS: Final = 60
_MAX_OPEN: Final = 10_000
_MAX_STREAMS: Final = 200
_MAX_ERRORS: Final = 50
_MAX_MODELS: Final = 50
_MAX_TEXT: Final = 200
_BOUNDS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000)
_PERCENTS: Final = (50.0, 90.0, 99.0)

_Targets: TypeAlias = Callable[[], Iterable[Mapping[str, Any]]]


class Board:
    """Keeps what the page shows.

    Args:
        memory: whose figures are shown.
        targets: gives what is known of each upstream now: `name`, `server`, `active`, `waiting`, `connections`.
        clock: seconds of a steady clock.
    """

    def __init__(
        self, memory: MemoryManager, targets: _Targets = tuple, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._memory = memory
        self._targets = targets
        self._clock = clock
        self._began = clock()
        self._live: dict[int, _Live] = {}
        self._errors: deque[tuple[float, dict[str, Any]]] = deque(maxlen=_MAX_ERRORS)
        self._first_content, self._gaps = _Window(self._began), _Window(self._began)
        self._rates = _Rates(self._began)
        self._outcomes = {"complete": 0, "failed": 0, "left": 0}
        self._models: dict[str, _Model] = {}
        self._asked: dict[str, _Asked] = {}

    def __call__(self, moment: ExchangeMoment, /) -> None:
        """Take one moment of the relay or the middleware."""
        if isinstance(moment, ExchangeFinished):
            self._finished(moment)
        elif isinstance(moment, FirstContentSent):
            if (live := self._live.get(moment.number)) is not None:
                live.first_content = moment.seconds
        elif moment.streaming and len(self._live) < _MAX_OPEN:
            self._live[moment.number] = _Live(moment, self._clock())

    def snapshot(self) -> dict[str, Any]:
        """Return everything as plain values: times in seconds unless a name says otherwise, sizes in bytes."""
        now = self._clock()
        stats = self._memory.stats()
        return {
            "process": os.getpid(),
            "uptime": round(now - self._began, 1),
            "streams": {"open": len(self._live), "oldest": self._oldest(now)},
            "outcomes": self._outcomes,
            "rates": self._rates.per_second(now),
            "window": _WINDOW_SECONDS,
            "first_content": self._first_content.shown(now),
            "gaps": self._gaps.shown(now),
            "models": [{"model": name, **model.shown()} for name, model in self._models.items()],
            "targets": [{**target, **self._asked_of(target["name"], now)} for target in self._targets()],
            "errors": [{"ago": round(now - at, 1), **error} for at, error in reversed(self._errors)],
            "memory": {
                "resident": stats.allocations.resident,
                "arenas_open": stats.arenas.open,
                "arena_bytes": stats.arenas.chunks.bytes_out,
                "arena_free_bytes": stats.arenas.chunks.bytes_free,
                "buffers_idle_bytes": stats.buffers.idle_bytes,
                "outstanding": stats.outstanding,
                "reuse": round(stats.reuse, 4),
                "leaked": {
                    "arenas_forgotten": stats.arenas.forgotten,
                    "views_escaped": stats.arenas.escaped,
                    "releases_failed": stats.arenas.failed_releases,
                },
                "pools": [
                    {
                        "name": pool.name,
                        "outstanding": pool.outstanding,
                        "idle": pool.idle,
                        "reuse": round(pool.reuse, 4),
                    }
                    for pool in stats.pools
                ],
            },
        }

    # ------------------------------------------------------------ private

    def _finished(self, moment: ExchangeFinished) -> None:
        now = self._clock()
        self._live.pop(moment.number, None)
        self._outcomes[moment.outcome] += 1
        seen = moment.stream
        usage = None if seen is None else seen.usage
        tokens = 0 if usage is None else usage.output_tokens
        self._rates.add(now, 1, tokens, 0 if seen is None else seen.bytes)
        if moment.model and (moment.model in self._models or len(self._models) < _MAX_MODELS):
            self._models.setdefault(moment.model, _Model()).add(moment.outcome, tokens)
        if seen is not None:
            if seen.first_content_seconds is not None:
                self._first_content.now(now).add(round(seen.first_content_seconds * 1e9))
            self._gaps.now(now).merge(seen.gaps)
        kind = None if moment.error is None else type(moment.error).__name__
        if moment.target:
            self._asked.setdefault(moment.target, _Asked()).add(now, kind if moment.outcome == "failed" else None)
        if moment.error is not None and moment.outcome == "failed":
            error: dict[str, Any] = {"kind": kind, "path": moment.path[:_MAX_TEXT], "model": moment.model[:_MAX_TEXT]}
            error |= {"target": moment.target, "status": moment.status, "message": _told(moment.error)}
            self._errors.append((now, error))

    def _oldest(self, now: float) -> list[dict[str, Any]]:
        """The streams that have been open longest: who hangs is among them."""
        return [live.shown(now) for _, live in zip(range(_MAX_STREAMS), self._live.values(), strict=False)]

    def _asked_of(self, name: str, now: float) -> dict[str, Any]:
        asked = self._asked.get(name)
        return _Asked().shown(now) if asked is None else asked.shown(now)


def _told(error: BaseException) -> str:
    """Return what an error says; of a provider's its codes alone, for its text may quote a request."""
    if isinstance(error, ProviderError):
        return ", ".join(part for part in (error.type, error.code) if part)
    return str(error)[:_MAX_TEXT]


class _Live:
    """A stream that is open."""

    __slots__ = ("_began", "_moment", "first_content")

    def __init__(self, moment: ResponseStarted, now: float) -> None:
        self._moment = moment
        self._began = now - moment.seconds
        self.first_content: float | None = None

    def shown(self, now: float) -> dict[str, Any]:
        moment = self._moment
        return {
            "number": moment.number,
            "path": moment.path[:_MAX_TEXT],
            "model": moment.model[:_MAX_TEXT],
            "target": moment.target,
            "age": round(now - self._began, 1),
            "first_content": self.first_content,
        }


class _Model:
    """Counts of one model since the process began."""

    __slots__ = ("_outcomes", "_tokens")

    def __init__(self) -> None:
        self._outcomes = {"complete": 0, "failed": 0, "left": 0}
        self._tokens = 0

    def add(self, outcome: str, tokens: int) -> None:
        self._outcomes[outcome] += 1
        self._tokens += tokens

    def shown(self) -> dict[str, int]:
        return {**self._outcomes, "output_tokens": self._tokens}


class _Asked:
    """How one target has answered lately."""

    __slots__ = ("_latest", "_trouble", "_trouble_at")

    def __init__(self) -> None:
        self._latest: deque[bool] = deque(maxlen=100)
        self._trouble: str | None = None
        self._trouble_at = 0.0

    def add(self, now: float, trouble: str | None) -> None:
        self._latest.append(trouble is None)
        if trouble is not None:
            self._trouble, self._trouble_at = trouble, now

    def shown(self, now: float) -> dict[str, Any]:
        latest = self._latest
        return {
            "latest": len(latest),
            "well": sum(latest),
            "trouble": self._trouble,
            "trouble_ago": None if self._trouble is None else round(now - self._trouble_at, 1),
        }


class _Window:
    """A histogram of the last one to two windows."""

    def __init__(self, now: float) -> None:
        self._began = now
        self._present, self._past = Histogram(), Histogram()

    def now(self, now: float) -> Histogram:
        """Return what is to be counted into."""
        while now - self._began >= _WINDOW_SECONDS:
            self._past, self._present = self._present, Histogram()
            self._began = max(self._began + _WINDOW_SECONDS, now - 2 * _WINDOW_SECONDS)
        return self._present

    def shown(self, now: float) -> dict[str, Any]:
        self.now(now)
        both = Histogram()
        both.merge(self._past)
        both.merge(self._present)
        middle, high, highest = ((value or 0) / 1e6 for value in both.percentiles(_PERCENTS))
        return {
            "count": both.count,
            **({"p50_ms": middle, "p90_ms": high, "p99_ms": highest} if both.count else {}),
            "bounds_ms": _BOUNDS_MS,
            "counts": _by_bounds(both),
        }


def _by_bounds(histogram: Histogram) -> list[int]:
    """Count what lies below each bound, and after the last one what is above all."""
    counts = [0] * (len(_BOUNDS_MS) + 1)
    for bucket, count in histogram.counts.items():
        largest = bucket_bounds(bucket)[1] / 1e6
        counts[next((i for i, bound in enumerate(_BOUNDS_MS) if largest <= bound), -1)] += count
    return counts


class _Rates:
    """Sums of each of the last seconds."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._seconds: deque[list[int]] = deque(maxlen=_RATE_SECONDS)  # second, requests, tokens, bytes

    def add(self, now: float, *values: int) -> None:
        second = int(now)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0, 0])
        latest = self._seconds[-1]
        for place, value in enumerate(values, 1):
            latest[place] += value

    def per_second(self, now: float) -> dict[str, Any]:
        """Means over the last minute, and its requests second by second, the present one last."""
        recent: Sequence[list[int]] = [each for each in self._seconds if each[0] > int(now) - _RATE_SECONDS]
        by_second = dict.fromkeys(range(int(now) - _RATE_SECONDS + 1, int(now) + 1), 0)
        by_second |= {each[0]: each[1] for each in recent}
        length = min(_RATE_SECONDS, max(1.0, now - self._began))
        requests, tokens, size = (sum(each[place] for each in recent) / length for place in (1, 2, 3))
        return {"requests": requests, "output_tokens": tokens, "bytes": size, "by_second": list(by_second.values())}
