"""When a request is sent again, after how long, and what that may cost altogether. Decisions only, nothing is sent.

Invariants: without a policy nothing is repeated but a request whose kept connection turned out to be dead. A request
that is wrong stays wrong: statuses that blame the request are never repeated. What a server says about when to come
back is obeyed, up to `longest_wait`; where it asks for more the error is raised at once. Repeats of all requests
together are bounded by a budget, so that an overloaded provider does not get a multiple of the load.
Cost: nothing until something fails.
Sources: RFC 9110 section 10.2.3 (Retry-After); the providers' documents on rate limits (`retry-after-ms` and
`x-ratelimit-reset-*` of OpenAI, `anthropic-ratelimit-*-reset` of Anthropic); full jitter: M. Brooker, "Exponential
Backoff and Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import importlib
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from streamarena.errors import (
    CircuitOpenError,
    ConfigurationError,
    ConnectionFailedError,
    ConnectTimeoutError,
    FirstContentTimeoutError,
    ProtocolError,
    ProviderError,
    StreamTruncatedError,
)

if TYPE_CHECKING:
    from streamarena.client.result import StreamResult

__all__ = ["AfterContent", "Attempt", "Continuation", "Course", "RetryBudget", "RetryPolicy", "wait_asked_for"]

AfterContent: TypeAlias = Literal["fail", "restart", "continue"]
"""What follows a failure once content has been delivered: the error; the answer anew; the answer's rest."""

Continuation: TypeAlias = Callable[[Mapping[str, Any], "StreamResult"], Mapping[str, Any]]
"""From the request's members and what was received, the members of the request for the rest."""


class Attempt(msgspec.Struct, frozen=True):
    """One request that was sent, or could not be.

    Attributes:
        number: from 1, over all targets. server: `host:port` it went to. api: the wire API spoken.
        error: what ended it; None for the one that succeeded or still runs. status: of a response that was refused.
        seconds: from the attempt's start to its failure.
        waited: seconds of waiting that were decided on after it; None if it was the last.
        hedge: sent beside the one before it, which had brought no content in time (see `HedgePolicy`).
        lost: given up because the other of the two is read.
    """

    number: int
    server: str
    api: str
    error: Exception | None = None
    status: int | None = None
    seconds: float | None = None
    waited: float | None = None
    hedge: bool = False
    lost: bool = False


class RetryBudget:
    """How many repeats all requests together may cause: a share of the requests, and a reserve for bad moments.

    Args:
        share: repeats that each request allows. Default 0.2: one in five.
        reserve: repeats allowed at the start, and the most that is saved up. Default 10.
    """

    def __init__(self, share: float = 0.2, reserve: float = 10.0) -> None:
        if not (share >= 0 and reserve >= 0):
            raise ConfigurationError("a retry budget's share and reserve are not negative")
        self.share = share
        self.reserve = reserve
        self._left = reserve
        self.refused = 0

    @property
    def left(self) -> float:
        """Repeats that are allowed now."""
        return self._left

    def request(self) -> None:
        """Count a new request."""
        self._left = min(self.reserve, self._left + self.share)

    def take(self) -> bool:
        """Take one repeat; False, counted in `refused`, when the budget is used up."""
        if self._left < 1:
            self.refused += 1
            return False
        self._left -= 1
        return True


_STATUSES: Final = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
_KINDS: Final = frozenset({"overloaded_error", "rate_limit_error", "api_error", "server_error", "rate_limit_exceeded"})
_ERRORS: Final = (
    ConnectionFailedError,
    ConnectTimeoutError,
    FirstContentTimeoutError,
    ProtocolError,
    StreamTruncatedError,
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Says whether and when a request is repeated. One object may serve any number of clients.

    Attributes:
        attempts: requests sent to one target, the first included. Default 3.
        first_wait, longest_wait: seconds; before repeat n the wait is drawn evenly from 0 to
            `min(longest_wait, first_wait * 2**(n - 1))`. Defaults 0.5 and 30.
        statuses: HTTP statuses after which a repeat makes sense.
        kinds: the same for errors inside a stream, by the provider's own type or code.
        errors: the same for failures of the wire.
        moves_on: statuses after which the next fallback is asked though the same target would not be.
        after_content: what follows a failure once content was delivered. Default "fail".
        continuation: builds the request for the rest; needed for `after_content="continue"`.
        budget: shared by everybody who uses this policy.
        jitter: draws from [0, 1); for tests.

    Raises:
        ConfigurationError: the values make no sense together.
    """

    attempts: int = 3
    first_wait: float = 0.5
    longest_wait: float = 30.0
    statuses: frozenset[int] = _STATUSES
    kinds: frozenset[str] = _KINDS
    errors: tuple[type[Exception], ...] = _ERRORS
    moves_on: frozenset[int] = frozenset({401, 402, 403, 404})
    after_content: AfterContent = "fail"
    continuation: Continuation | None = None
    budget: RetryBudget = field(default_factory=RetryBudget)
    jitter: Callable[[], float] = field(default=random.random, repr=False)

    def __post_init__(self) -> None:
        if self.attempts < 1 or not self.first_wait >= 0 or not self.longest_wait >= 0:
            raise ConfigurationError("RetryPolicy needs at least one attempt and waits that are not negative")
        if self.after_content not in {"fail", "restart", "continue"}:
            raise ConfigurationError(
                f"RetryPolicy.after_content is fail, restart or continue, not {self.after_content}"
            )
        if (self.after_content == "continue") != (self.continuation is not None):
            raise ConfigurationError('RetryPolicy.continuation goes with after_content="continue", and that with it')

    def repeats(self, error: Exception) -> bool:
        """Tell whether the same request makes sense once more after this error."""
        if not isinstance(error, ProviderError):
            return isinstance(error, self.errors)
        told = error.headers.get("x-should-retry")  # the providers' own word; their SDKs obey it, too
        if told in {"true", "false"}:
            return told == "true"
        if error.status is not None:
            return error.status in self.statuses
        return error.type in self.kinds or error.code in self.kinds

    def falls_back(self, error: Exception) -> bool:
        """Tell whether another target may do what this one did not."""
        if isinstance(error, CircuitOpenError):
            return True
        return self.repeats(error) or (isinstance(error, ProviderError) and error.status in self.moves_on)

    def wait(self, repeat: int, error: Exception) -> float | None:
        """Return the seconds before the `repeat`-th repeat, from 1; None if the server asks for more than is waited."""
        asked = wait_asked_for(error.headers, time.time()) if isinstance(error, ProviderError) else None
        if asked is not None:
            return asked if asked <= self.longest_wait else None
        return self.jitter() * min(self.longest_wait, self.first_wait * 2.0 ** (repeat - 1))


_ONE_EACH: Final = RetryPolicy(attempts=1)
"""Stands in where there are fallbacks and no policy: every target is asked once."""


class Course:
    """Which target is asked next, and when, over all the attempts of one request.

    Args:
        policy: None asks every target once.
        targets: how many there are; they are numbered from 0 and asked in this order.

    Attributes:
        target: which one is asked now. deadline: `time.perf_counter_ns` after which nothing is begun; None: never.
    """

    __slots__ = ("_policy", "_targets", "_tries", "deadline", "target")

    def __init__(self, policy: RetryPolicy | None, targets: int) -> None:
        self._policy = policy or _ONE_EACH
        self._targets = targets
        self._tries = 0  # at this target
        self.target = 0
        self.deadline: int | None = None

    def begin(self) -> None:
        """Count an attempt."""
        self._tries += 1

    def void(self) -> None:
        """Do not count the last attempt: it met a dead connection."""
        self._tries -= 1

    @property
    def may_go_on(self) -> bool:
        """Whether any failure of this attempt could be followed by another one."""
        return self._tries < self._policy.attempts or self.target + 1 < self._targets

    def blames(self, error: BaseException) -> bool:
        """Tell whether the target, and not the request, is to blame for a failure."""
        return isinstance(error, Exception) and self._policy.repeats(error)

    def after(self, error: Exception, *, shown: bool = False) -> float | None:
        """Decide what follows a failure: another attempt at `target` in so many seconds, or, with None, nothing.

        Args:
            error: what ended the attempt.
            shown: whether content was delivered; then no other target is asked.
        """
        wait = self._wait(error)
        if wait is not None:
            return wait
        if shown or self.target + 1 == self._targets or not self._policy.falls_back(error):
            return None
        self.target += 1
        self._tries = 0
        return 0.0

    def _wait(self, error: Exception) -> float | None:
        """Return the seconds to wait before this target is asked again; None if it is not."""
        policy = self._policy
        if self._tries >= policy.attempts or not policy.repeats(error):
            return None
        wait = policy.wait(self._tries, error)
        if wait is None or (self.deadline is not None and time.perf_counter_ns() + wait * 1e9 >= self.deadline):
            return None
        return wait if policy.budget.take() else None


# ---------------------------------------------------------------- what servers say

_LIMITS: Final = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER: Final = re.compile(r"\d{1,9}(?:\.\d{1,9})?")


def wait_asked_for(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that a response asks to wait, or None where it says nothing that can be read.

    Args:
        headers: names in lower case.
        now: seconds since 1970.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        if _NUMBER.fullmatch(text):
            return float(text) * unit
    if (moment := _date(headers.get("retry-after", ""))) is not None:
        return max(0.0, moment - now)
    waits = [
        wait
        for left, reset in _LIMITS
        if headers.get(left) == "0" and (wait := _reset(headers.get(reset), now)) is not None
    ]
    return max(waits, default=None)


def _date(text: str) -> float | None:
    if not text:
        return None
    email_utils = importlib.import_module("email.utils")  # heavy, and hardly any server sends a date
    try:
        moment: float = email_utils.parsedate_to_datetime(text).timestamp()
        return moment
    except (ValueError, OverflowError):
        return None


def _reset(text: str | None, now: float) -> float | None:
    """Read "6m0s", "120ms" or a moment in RFC 3339."""
    if not text:
        return None
    parts = _PART.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text and len(text) <= 32:
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        return max(0.0, datetime.fromisoformat(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
