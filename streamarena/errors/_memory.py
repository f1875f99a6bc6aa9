"""Errors of the memory system: scopes, pools, handles, files, and tables that are full."""

from __future__ import annotations

from streamarena.errors._base import LimitExceededError, StreamArenaError


class MemoryScopeError(StreamArenaError):
    """Misuse of a request scope or of what was taken inside it."""


class ScopeClosedError(MemoryScopeError):
    """A span, lease or arena was used after its scope had ended."""

    def __init__(self, what: str = "arena", label: str | None = None) -> None:
        super().__init__(f"the {what} belongs to a request scope that has ended" + (f" ({label})" if label else ""))
        self.label = label


class ReleasedError(ScopeClosedError):
    """Something was used after it was given back: by `release()`, its `with` block, or the end of its scope."""

    def __init__(self, what: str, taker: str) -> None:
        MemoryScopeError.__init__(self, f"the {what} was given back to {taker}, and is no longer this holder's")
        self.label = None


class BufferReleasedError(ReleasedError):
    """A pooled buffer was used after it was given back."""

    def __init__(self) -> None:
        super().__init__("buffer", "its pool")


class NoScopeError(MemoryScopeError):
    """No request scope is open in this context."""

    def __init__(self) -> None:
        super().__init__("no request scope is open here; use `with request_scope():` around the request")


class WrongThreadError(MemoryScopeError):
    """An arena was asked to allocate from a thread that does not own it."""

    def __init__(self, owner: int, caller: int) -> None:
        super().__init__(f"the arena belongs to thread {owner} and was used from thread {caller}")
        self.owner = owner
        self.caller = caller


class QuotaExceededError(MemoryScopeError):
    """A scope asked for more bytes than its quota allows.

    Attributes:
        quota: bytes allowed; requested: bytes asked for now; used: bytes taken before, by kind of taker.
    """

    def __init__(self, quota: int, requested: int, used: dict[str, int], label: str | None = None) -> None:
        taken = ", ".join(f"{kind} {count}" for kind, count in used.items() if count) or "nothing"
        name = f" {label!r}" if label else ""
        super().__init__(
            f"request scope{name} has a quota of {quota} bytes, has taken {sum(used.values())} ({taken}) "
            f"and was asked for {requested} more; raise it with request_scope(quota=...)"
        )
        self.quota = quota
        self.requested = requested
        self.used = used
        self.label = label


class PoolError(StreamArenaError):
    """Misuse of a pool."""


class DoubleReleaseError(PoolError):
    """Something was given back to its pool twice."""


class StaleHandleError(StreamArenaError):
    """A generational handle whose object was removed, or that belongs to another arena."""


class FileChangedError(StreamArenaError):
    """A file kept changing while it was read, so that no consistent content could be had.

    Attributes:
        path: the file.
    """

    def __init__(self, path: str, attempts: int) -> None:
        super().__init__(f"{path} changed during each of {attempts} attempts to read it")
        self.path = path


class CapacityExceededError(LimitExceededError):
    """A table holds as many entries as it may."""

    what = "a table"
    unit = "entries"


class FileCacheFullError(LimitExceededError):
    """A file does not fit beside those that are mapped, pinned or not yet released."""

    what = "a cache of files"
