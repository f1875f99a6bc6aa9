"""A circuit breaker: a target that fails most of what it is asked is left alone for a while. Decisions only.

    closed     asks pass         -> open        when the share of failures in the window reaches the limit
    open       asks are refused  -> half open   when `open_seconds` have passed
    half open  one ask passes    -> closed      when it is answered;  -> open  when it fails

Invariants: times are passed in; a probe that ends without an answer, because somebody left, makes room for another one.
Cost: a counter a second of the window, and nothing else whatever the traffic.
Source: M. Nygard, "Release It!", chapter "Stability Patterns".
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from streamarena.errors import ConfigurationError

__all__ = ["BreakerPolicy", "BreakerState", "CircuitBreaker"]

BreakerState: TypeAlias = Literal["closed", "open", "half-open"]

_LONGEST_WINDOW: Final = 3600.0


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a target is left alone, and for how long.

    Attributes:
        failures: the share of failures in the window from which on it is. Default 0.5.
        least: requests in the window below which nothing is decided. Default 10.
        window_seconds: how far back is counted. Default 30, at most an hour.
        open_seconds: how long it is left alone before one request may try. Default 15.

    Raises:
        ConfigurationError: a value makes no sense.
    """

    failures: float = 0.5
    least: int = 10
    window_seconds: float = 30.0
    open_seconds: float = 15.0

    def __post_init__(self) -> None:
        if not 0 < self.failures <= 1 or self.least < 1:
            raise ConfigurationError("BreakerPolicy needs failures above 0 and up to 1, and least from 1 on")
        if not 1 <= self.window_seconds <= _LONGEST_WINDOW or not self.open_seconds > 0:
            raise ConfigurationError("BreakerPolicy needs a window of 1 to 3,600 seconds, and positive open_seconds")


class CircuitBreaker:
    """The breaker of one target.

    Args:
        policy: when it opens, and for how long.

    Attributes:
        state: see the module. refused: asks that it refused.
    """

    __slots__ = ("_opened", "_policy", "_probing", "_seconds", "refused", "state")

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._seconds: deque[list[int]] = deque()  # second, answered, failed
        self._opened = 0.0
        self._probing = False
        self.state: BreakerState = "closed"
        self.refused = 0

    def admit(self, now: float) -> bool:
        """Tell whether the target may be asked now; the asker then calls `answered`, `failed` or `abandoned`.

        Args:
            now: seconds of a steady clock.
        """
        if self.state == "open" and now - self._opened >= self._policy.open_seconds:
            self.state, self._probing = "half-open", False
        if self.state == "closed":
            return True
        if self.state == "half-open" and not self._probing:
            self._probing = True
            return True
        self.refused += 1
        return False

    def seconds_left(self, now: float) -> float:
        """Return how long the target is still left alone."""
        return max(0.0, self._opened + self._policy.open_seconds - now) if self.state == "open" else 0.0

    def answered(self, now: float) -> None:
        """Take note of an answer."""
        if self.state == "half-open":
            self.state, self._probing = "closed", False
            self._seconds.clear()
        self._count(now, 1)

    def failed(self, now: float) -> None:
        """Take note of a failure."""
        self._count(now, 2)
        if self.state == "half-open" or (self.state == "closed" and self._is_too_bad()):
            self.state, self._opened = "open", now
            self._seconds.clear()

    def abandoned(self) -> None:
        """Take note that nobody waited for what became of an ask."""
        self._probing = False

    def _count(self, now: float, place: int) -> None:
        seconds = self._seconds
        while seconds and seconds[0][0] <= now - self._policy.window_seconds:
            seconds.popleft()
        if not seconds or seconds[-1][0] != int(now):
            seconds.append([int(now), 0, 0])
        seconds[-1][place] += 1

    def _is_too_bad(self) -> bool:
        answered, failed = (sum(each[place] for each in self._seconds) for place in (1, 2))
        return answered + failed >= self._policy.least and failed >= self._policy.failures * (answered + failed)
