"""Errors of the relay and the middleware: their files, requests that are not passed on, places taken, long streams."""

from __future__ import annotations

from streamarena.errors._base import ConfigurationError, LimitExceededError, StreamArenaError


class ConfigFileError(ConfigurationError):
    """A configuration file cannot be used as it is.

    Attributes:
        file: its name as it was given. line: counted from 1; 0 where no line can be told.
    """

    def __init__(self, file: str, line: int, problem: str) -> None:
        super().__init__(f"{file}:{line}: {problem}" if line else f"{file}: {problem}")
        self.file = file
        self.line = line
        self.problem = problem


class RequestRefusedError(StreamArenaError):
    """The relay will not pass this request on; the caller is answered with `status` in the form of its own API.

    Attributes:
        status: the HTTP status. problem: what is wrong, for the caller. param: the member of the body that is.
    """

    def __init__(self, status: int, problem: str, param: str | None = None) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem
        self.param = param


class TranslationError(RequestRefusedError):
    """A request uses what the target's API has no place for; `.param` names the member."""

    def __init__(self, param: str, problem: str) -> None:
        super().__init__(400, f"{param}: {problem}", param)


class RelayBusyError(StreamArenaError):
    """As many requests are served and waiting as may be, or a place did not become free in time.

    Attributes:
        limit: how many are served at once. setting: what raises it. retry_after: seconds that the caller is told.
        status: the HTTP status that it is told.
    """

    def __init__(self, limit: int, setting: str, retry_after: float, status: int = 503) -> None:
        super().__init__(f"{limit} requests are being served, and no more may wait; the limit is {setting}")
        self.limit = limit
        self.setting = setting
        self.retry_after = retry_after
        self.status = status


class TooManyEventsError(LimitExceededError):
    """A stream brings more events than it may."""

    what = "a stream"
    unit = "events"
