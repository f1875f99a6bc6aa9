"""Every error that streamarena raises, in one tree with one root.

Names say what happened; attributes carry the data that the message is built from, so that code can act on an error
without parsing text. A limit that was met names itself and the setting that raises it.

    StreamArenaError
    ├── ConfigurationError              a setting, environment variable or file that cannot be used
    │   ├── MissingExtraError           an optional library is not installed; `.extra` names what to install
    │   └── ConfigFileError             a configuration file is wrong; `.file`, `.line`
    ├── MemoryScopeError                misuse of a request scope
    │   ├── ScopeClosedError            a span, lease or arena used after its scope ended
    │   │   └── ReleasedError           a pooled object, file or shared payload used after it was given back
    │   │       └── BufferReleasedError a pooled buffer
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
    ├── CircuitOpenError                a target is left alone, having failed too often lately; `.server`, `.seconds`
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
    │   ├── MalformedMessageError       a message that has no shape to work with; `.index`, `.problem`
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
from streamarena.errors._context import (
    CannotFitError,
    ContextError,
    HistoryTooLongError,
    MalformedMessageError,
    TokenBudgetExceededError,
)
from streamarena.errors._load import WorkerLostError
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
    ReleasedError,
    ScopeClosedError,
    StaleHandleError,
    WrongThreadError,
)
from streamarena.errors._pipeline import StageInUseError, StreamInUseError
from streamarena.errors._prompts import (
    FileRestrictionError,
    MissingPromptValueError,
    PackError,
    PromptError,
    PromptTooLargeError,
    TemplateError,
    ToolNotAllowedError,
    UnknownPromptError,
    UnsafePathError,
)
from streamarena.errors._providers import DecodeError, ProviderError, ToolCallError, UnexpectedContentError
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
from streamarena.errors._wire import (
    BodyTooLargeError,
    CircuitOpenError,
    ConnectionFailedError,
    EventTooLargeError,
    HeaderTooLargeError,
    InvalidFieldError,
    PoolClosedError,
    ProtocolError,
    StreamClosedError,
    StreamTruncatedError,
)

__all__ = [
    "StreamArenaError",
    "ConfigurationError",
    "MissingExtraError",
    "ConfigFileError",
    "MemoryScopeError",
    "ScopeClosedError",
    "ReleasedError",
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
    "CircuitOpenError",
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
    "MalformedMessageError",
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

for _name in __all__:  # a traceback shows the name that is imported, whichever file holds the class
    globals()[_name].__module__ = __name__
