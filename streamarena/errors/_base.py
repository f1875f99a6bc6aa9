"""What every branch of the error tree grows from: the root, wrong settings, and limits that were met."""

from __future__ import annotations


class StreamArenaError(Exception):
    """The root of every error that streamarena raises on purpose."""


class ConfigurationError(StreamArenaError):
    """A setting, environment variable or file that cannot be used as it is."""


class MissingExtraError(ConfigurationError):
    """An optional library is needed and not installed.

    Attributes:
        library: the import that failed.
        extra: the extra of this distribution that brings it.
    """

    def __init__(self, library: str, extra: str, purpose: str = "this") -> None:
        super().__init__(f"{purpose} needs {library}; install it with: pip install 'streamarena[{extra}]'")
        self.library = library
        self.extra = extra


class LimitExceededError(StreamArenaError):
    """Input larger than a named limit.

    Attributes:
        limit: the limit that was met; seen: how much there was at least; setting: the parameter that raises it.
    """

    what = "input"
    unit = "bytes"

    def __init__(self, limit: int, seen: int, setting: str, unit: str | None = None) -> None:
        super().__init__(
            f"{self.what} of at least {seen} {unit or self.unit} passes the limit of {limit}; raise {setting}"
        )
        self.limit = limit
        self.seen = seen
        self.setting = setting
