"""Every error that streamarena raises, in one tree with one root.

Names say what happened; attributes carry the data that the message is built from, so that code can act on an error
without parsing text. A limit that was met names itself and the setting that raises it.

    StreamArenaError
    ├── ConfigurationError              a setting, environment variable or file that cannot be used
    │   ├── MissingExtraError           an optional library is not installed; `.extra` names what to install
    │   └── ConfigFileError             a configuration file is wrong; `.file`, `.line`
    ├── MemoryScopeError                misuse of a request scope
    │   ├── ScopeClosedError            a span, lease or arena used after its scope ended
    │   │   └── BufferReleasedError     a pooled buffer used after it was given back
    │   ├── NoScopeError                `current_arena()` where no scope is open
    │   ├── WrongThreadError            an arena used from a thread that does not own it
    │   └── QuotaExceededError          a scope asked for more bytes than its quota
    ├── PoolError                       misuse of a pool
    │   └── DoubleReleaseError          something was given back twice
    ├── StaleHandleError                a generational handle whose object is gone, or of another arena
    ├── FileChangedError                a file did not hold still while it was read
    ├── LimitExceededError              input larger than a named limit; `.limit`, `.setting`
    │   ├── EventTooLargeError          one server-sent event
    │   ├── CapacityExceededError       entries of a table: a generational arena, the interner
    │   ├── FileCacheFullError          files that are mapped, pinned or not yet released
    │   ├── HistoryTooLongError         messages of one history
    │   ├── HeaderTooLargeError         HTTP header bytes or count
    │   ├── BodyTooLargeError           a response, or its decompressed form
    │   └── TooManyEventsError          events of one stream that passes through the middleware or the relay
    ├── InvalidFieldError               a value that a server-sent event cannot carry; also a ValueError; `.field`
    ├── ConnectionFailedError           no connection: refused, unreachable, name not found, TLS
    ├── PoolClosedError                 the client is closed
    ├── ProtocolError                   the peer broke HTTP
    ├── StreamClosedError               the stream was closed on this side and cannot be read further
    ├── StreamTruncatedError            the peer ended the stream before its end was announced
    ├── StreamTimeoutError              also a TimeoutError; `.seconds`
    │   ├── ConnectTimeoutError
    │   ├── PoolTimeoutError            no connection became free in time
    │   ├── FirstContentTimeoutError
    │   ├── IdleTimeoutError            no content for too long; pings and comments are not content
    │   ├── TotalTimeoutError
    │   ├── ReadTimeoutError            a raw exchange: no bytes for too long
    │   └── WriteTimeoutError           a raw exchange: the network took nothing for too long
    ├── ProviderError                   the model's provider answered with an error; `.status`, `.body`
    │   ├── UnexpectedContentError      a 200 that is not a stream: an HTML page, a JSON body
    │   └── DecodeError                 an event whose shape no decoder knows
    ├── ToolCallError                   a model's tool call that must not be run; `.tool`, `.arguments`, `.missing`
    ├── ContextError                    a history cannot be brought into the window
    │   ├── CannotFitError              `.smallest` is the least budget that would do
    │   └── TokenBudgetExceededError    a stream passed its output or window limit; `.state`
    ├── RequestRefusedError             the relay will not pass a request on; `.status`, `.param`
    │   └── TranslationError            it uses what the target's API has no place for
    ├── RelayBusyError                  as many requests are served and waiting as may be; `.retry_after`
    ├── WorkerLostError                 a load test's worker is gone, or never got ready
    ├── StreamInUseError                a second task pulled at a stream; also a RuntimeError
    ├── StageInUseError                 an object with memory was put into a second pipeline run while the first lasts
    ├── CassetteError                   a recording that cannot be read, or that a request does not match; `.path`
    │   └── CassetteMismatchError       requests differ from the recorded ones; `.differences`
    └── PromptError                     a prompt pack or a prompt setting is wrong
        ├── PackError                   a pack's manifest or file; `.file`, `.line`
        │   └── TemplateError           a tag in a text of a pack
        ├── UnknownPromptError          no entry of that name; `.key`, `.near`
        ├── MissingPromptValueError     a text was rendered without a value it needs; `.key`, `.name`
        ├── UnsafePathError             a file that leads out of its root, or is no plain file; `.path`
        ├── PromptTooLargeError         a file larger than allowed; also a LimitExceededError
        └── ToolNotAllowedError         a mode may not use that tool; `.tool`, `.mode`
            └── FileRestrictionError    a mode may not edit that file; `.pattern`, `.path`
"""

from __future__ import annotations

from streamarena.errors._base import ConfigurationError, LimitExceededError, MissingExtraError, StreamArenaError
from streamarena.errors._cassette import CassetteError, CassetteMismatchError
from streamarena.errors._memory import (
    BufferReleasedError,
    CapacityExceededError,
    DoubleReleaseError,
    FileCacheFullError,
    FileChangedError,
    MemoryScopeError,
    NoScopeError,
    PoolError,
    QuotaExceededError,
    ScopeClosedError,
    StaleHandleError,
    WrongThreadError,
)
from streamarena.errors._pipeline import StageInUseError, StreamInUseError
from streamarena.errors._relay import (
    ConfigFileError,
    RelayBusyError,
    RequestRefusedError,
    TooManyEventsError,
    TranslationError,
)
from streamarena.errors._timeouts import (
    ConnectTimeoutError,
    FirstContentTimeoutError,
    IdleTimeoutError,
    PoolTimeoutError,
    ReadTimeoutError,
    StreamTimeoutError,
    TotalTimeoutError,
    WriteTimeoutError,
)

__all__ = [
    "StreamArenaError",
    "ConfigurationError",
    "MissingExtraError",
    "ConfigFileError",
    "MemoryScopeError",
    "ScopeClosedError",
    "BufferReleasedError",
    "NoScopeError",
    "WrongThreadError",
    "QuotaExceededError",
    "PoolError",
    "DoubleReleaseError",
    "StaleHandleError",
    "FileChangedError",
    "LimitExceededError",
    "CapacityExceededError",
    "FileCacheFullError",
    "EventTooLargeError",
    "HeaderTooLargeError",
    "BodyTooLargeError",
    "TooManyEventsError",
    "InvalidFieldError",
    "ConnectionFailedError",
    "PoolClosedError",
    "ProtocolError",
    "StreamClosedError",
    "StreamTruncatedError",
    "StreamTimeoutError",
    "ConnectTimeoutError",
    "PoolTimeoutError",
    "FirstContentTimeoutError",
    "IdleTimeoutError",
    "TotalTimeoutError",
    "ReadTimeoutError",
    "WriteTimeoutError",
    "ProviderError",
    "UnexpectedContentError",
    "DecodeError",
    "ToolCallError",
    "ContextError",
    "CannotFitError",
    "HistoryTooLongError",
    "TokenBudgetExceededError",
    "RequestRefusedError",
    "TranslationError",
    "RelayBusyError",
    "WorkerLostError",
    "StreamInUseError",
    "StageInUseError",
    "CassetteError",
    "CassetteMismatchError",
    "PromptError",
    "PackError",
    "TemplateError",
    "UnknownPromptError",
    "MissingPromptValueError",
    "UnsafePathError",
    "PromptTooLargeError",
    "ToolNotAllowedError",
    "FileRestrictionError",
]


# ---------------------------------------------------------------- limits


class EventTooLargeError(LimitExceededError):
    """One server-sent event is larger than `max_event_bytes`."""

    what = "a server-sent event"


class HeaderTooLargeError(LimitExceededError):
    """The header of a response has too many bytes or fields."""

    what = "a response header"


class BodyTooLargeError(LimitExceededError):
    """A body, or its decompressed form, is larger than allowed."""

    what = "a body"


# ---------------------------------------------------------------- the wire


class InvalidFieldError(StreamArenaError, ValueError):
    """A value that a field of a server-sent event cannot carry: the reader would see other lines, or ignore it.

    Attributes:
        field: the field's name; value: what it was to carry.
    """

    def __init__(self, field: str, value: object) -> None:
        super().__init__(f"the field {field} of a server-sent event cannot carry {value!r:.80}")
        self.field = field
        self.value = value


class ConnectionFailedError(StreamArenaError):
    """No connection could be made: refused, unreachable, name not found, or TLS refused the peer.

    Attributes:
        host: the host asked for; port: its port. The operating system's error is the `__cause__`.
    """

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot connect to {host}:{port}: {reason}")
        self.host = host
        self.port = port
        self.reason = reason


class PoolClosedError(StreamArenaError):
    """The client or pool has been closed."""


class ProtocolError(StreamArenaError):
    """The peer sent something that is not HTTP/1.1."""


class StreamClosedError(StreamArenaError):
    """The stream was closed on this side and cannot be read any further."""


class StreamTruncatedError(StreamArenaError):
    """The peer ended the stream before its end was announced.

    Attributes:
        received: body bytes received before the cut.
    """

    def __init__(self, reason: str, received: int = 0) -> None:
        super().__init__(f"the stream was cut short after {received} bytes: {reason}")
        self.reason = reason
        self.received = received


# ---------------------------------------------------------------- providers


class ProviderError(StreamArenaError):
    """The provider answered with an error, before or in the middle of a stream.

    Attributes:
        status: HTTP status, or None for an error inside a stream; code, type: the provider's own names for it;
        body: the start of what was received; headers: response headers, lower-cased names, without secrets.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - the providers' own name for this field
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"HTTP {status}: {message}" if status is not None else message)
        self.message = message
        self.status = status
        self.code = code
        self.type = type
        self.body = body
        self.headers = headers or {}


class UnexpectedContentError(ProviderError):
    """A success status whose body is not a stream of the expected kind."""


class DecodeError(ProviderError):
    """An event whose shape no decoder knows, not even the tolerant one."""


class ToolCallError(StreamArenaError):
    """A model's tool call that must not be run: its arguments are not JSON, not an object, or lack something.

    Attributes:
        tool: the tool's name; arguments: their text as it came; missing: required members that are not there.
    """

    def __init__(self, tool: str, reason: str, arguments: str, missing: tuple[str, ...] = ()) -> None:
        super().__init__(f"the call of {tool!r} cannot be run: {reason}")
        self.tool = tool
        self.arguments = arguments
        self.missing = missing


# ---------------------------------------------------------------- context


class ContextError(StreamArenaError):
    """A message history cannot be handled as asked."""


class CannotFitError(ContextError):
    """No valid history fits the budget.

    Attributes:
        budget: tokens allowed; smallest: tokens of the smallest valid history, None where no part of it is valid.
    """

    def __init__(self, budget: int, smallest: int | None) -> None:
        reason = (
            "and no larger budget would help: it has no user's turn to begin with, or what must stay does not pair"
            if smallest is None
            else f"the smallest valid one needs {smallest}"
        )
        super().__init__(f"no valid history fits {budget} tokens; {reason}")
        self.budget = budget
        self.smallest = smallest


class HistoryTooLongError(LimitExceededError):
    """A history would hold more messages than `max_messages`."""

    what = "a history"
    unit = "messages"


class TokenBudgetExceededError(ContextError):
    """A stream brought more tokens than it was allowed; what it brought before was passed on.

    Attributes:
        state: how far the stream had come (a `BudgetState`); limit: "output" or "window", whichever was met.
    """

    def __init__(self, limit: str, tokens: int, allowed: int, state: object) -> None:
        super().__init__(f"the stream's {limit} limit of {allowed} tokens was passed: about {tokens}")
        self.limit = limit
        self.tokens = tokens
        self.allowed = allowed
        self.state = state


# ---------------------------------------------------------------- load tests


class WorkerLostError(StreamArenaError):
    """A worker of a load test did not get ready, failed, or all of them are gone."""


# ---------------------------------------------------------------- prompts


class PromptError(StreamArenaError):
    """A prompt pack, an entry of it, or a prompt setting is wrong."""


class PackError(PromptError):
    """A prompt pack cannot be used: its manifest, or a file of it.

    Attributes:
        file: which file, as far as known; line: 1-based, or 0 where a line means nothing; reason: what is wrong.
    """

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}" if line else f"{file}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason


class TemplateError(PackError):
    """A tag in a prompt text is not one, or does not match its partner."""


class UnknownPromptError(PromptError, KeyError):
    """The catalogue has no entry of that name.

    Attributes:
        key: the name asked for; near: names that look like it.
    """

    def __init__(self, key: str, near: tuple[str, ...] = ()) -> None:
        super().__init__(f"no prompt is called {key!r}" + (f"; did you mean {', '.join(near)}?" if near else ""))
        self.key = key
        self.near = near

    __str__ = Exception.__str__  # KeyError would show the message quoted


class MissingPromptValueError(PromptError):
    """A text was rendered without a value that it needs.

    Attributes:
        key: the entry; name: the parameter or condition without a value.
    """

    def __init__(self, key: str, name: str) -> None:
        super().__init__(f"{key} needs a value for {name!r}")
        self.key = key
        self.name = name


class UnsafePathError(PromptError):
    """A prompt file leads out of the folder it must stay in, or is not a plain file.

    Attributes:
        path: the file as it was named.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class PromptTooLargeError(PromptError, LimitExceededError):
    """A prompt file is larger than allowed."""

    def __init__(self, path: str, limit: int, seen: int, setting: str) -> None:
        LimitExceededError.__init__(self, limit, seen, setting)
        self.args = (f"{path}: {self.args[0]}",)
        self.path = path

    what = "a prompt file"


class ToolNotAllowedError(PromptError):
    """A mode may not use a tool.

    Attributes:
        tool: the tool asked for; mode: the mode's slug.
    """

    def __init__(self, tool: str, mode: str, message: str = "") -> None:
        super().__init__(message or f"tool {tool!r} is not allowed in mode {mode!r}")
        self.tool = tool
        self.mode = mode


class FileRestrictionError(ToolNotAllowedError):
    """A mode may edit only files that match its pattern.

    Attributes:
        pattern: the regular expression; description: the mode's words for it; path: the file that does not match.
    """

    def __init__(self, tool: str, mode: str, pattern: str, description: str | None, path: str) -> None:
        kind = f" ({description})" if description else ""
        super().__init__(tool, mode, f"mode {mode!r} may edit only files matching {pattern}{kind}, not {path!r}")
        self.pattern = pattern
        self.description = description
        self.path = path


for _name in __all__:  # a traceback shows the name that is imported, whichever file holds the class
    globals()[_name].__module__ = __name__
