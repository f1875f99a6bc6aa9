"""What the middleware may be told: one object, checked when it is made, shared by every request.

Invariant: a wrong value fails where it was written, with the name of the setting, and never in the first request.
Not here: what each setting does (`exchange.py` and the modules that it names).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, get_args

import msgspec

from streamarena.client import Timeouts
from streamarena.context.trimming import Strategy
from streamarena.errors import ConfigurationError
from streamarena.memory import MemoryManager, default_manager
from streamarena.providers import wire_of
from streamarena.relay.disconnect import DisconnectPolicy
from streamarena.relay.limits import StreamLimits
from streamarena.relay.status.page import PageSettings
from streamarena.relay.texts.stages import AnyStage, check_stages

if TYPE_CHECKING:
    from streamarena.relay.observing import ExchangeObserver

__all__ = ["ContextRules", "ExchangeCounters", "MiddlewareConfig"]


@dataclass(frozen=True, slots=True)
class ContextRules:
    """How request bodies are made to fit their model's window, see `streamarena.context.prepare_request`.

    Attributes:
        policy: what gives way: "suffix" (default), "middle-out", "clear-tool-results" or "summarize".
        max_input_tokens: the budget; None (default) takes it from the window of the model that the body names.
        repair: whether calls and results that do not pair are mended first. Default True.
        require_last: whether the last message must stay; if it does not fit, the client gets status 400. Default True.
        max_body_bytes: the largest JSON body taken; above it the client gets status 413. Default 32 MiB.
        report_header: the response field that says what was done. Default `x-streamarena-context`.
    """

    policy: Strategy = "suffix"
    max_input_tokens: int | None = None
    repair: bool = True
    require_last: bool = True
    max_body_bytes: int = 32 * 2**20
    report_header: str = "x-streamarena-context"

    def __post_init__(self) -> None:
        if self.policy not in get_args(Strategy):
            known = ", ".join(get_args(Strategy))
            raise ConfigurationError(f"ContextRules.policy is one of {known}, not {self.policy!r}")
        for name in ("max_input_tokens", "max_body_bytes"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int) and value > 0):
                raise ConfigurationError(f"ContextRules.{name} must be a whole number from 1 on, not {value!r}")
        if not self.report_header.replace("-", "").isalnum() or not self.report_header.isascii():
            raise ConfigurationError(f"ContextRules.report_header is no header name: {self.report_header!r}")


class ExchangeCounters(msgspec.Struct):
    """What one middleware has done so far; plain numbers, changed on the event loop only.

    Attributes:
        requests: taken in. streams: responses with a tap. compressed: streams that passed unread, being compressed.
        unstaged: streams that passed without the text stages, their wire being unknown.
        failed, left: by outcome. drained: of those left, read to an end. comments: keep-alive comments sent.
    """

    requests: int = 0
    streams: int = 0
    compressed: int = 0
    unstaged: int = 0
    failed: int = 0
    left: int = 0
    drained: int = 0
    comments: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MiddlewareConfig:
    """Everything that the middleware may be told.

    Attributes:
        paths: the model endpoints, as patterns with `*`; all of it applies there, from the request's first line on,
            and other paths pass untouched. None (default): every path is looked at, and timeouts and disconnects count
            from the first line on only where a request asks for a stream (`Accept`, or `"stream": true` in its body).
        api: the wire API of the streams; None (default): read off the path or the first events.
        timeouts: of `streamarena.client`; `first_content` (by default 120 s), `idle` (60) and `total` (None) count
            here, for streams. `connect` and `pool` do not.
        limits: bytes and events of a stream.
        keep_alive: seconds of silence after which a comment is sent between two events; None (default): never.
        disconnect: what becomes of an answer whose client has left. Default: cancel it.
        observers: are told the moments of every request.
        stages: text stages in their order: `redact(...)`, `stop_on(...)`, functions of a text delta.
        context: how request bodies are made to fit; None (default): bodies pass untouched.
        quota: bytes that one request's scope may take; None (default): no limit.
        manager: whose arenas and pools are used; None (default): the process's.
        page: whether there is a page at `/_streamarena`, and who may look. Default: there is none.
        counters: what was done, for every request that this object configured.

    Raises:
        ConfigurationError: a value that cannot be used.
    """

    paths: Sequence[str] | None = None
    api: str | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: StreamLimits = field(default_factory=StreamLimits)
    keep_alive: float | None = None
    disconnect: DisconnectPolicy = field(default_factory=DisconnectPolicy)
    observers: Sequence[ExchangeObserver] = ()
    stages: Sequence[AnyStage] = ()
    context: ContextRules | None = None
    quota: int | None = None
    manager: MemoryManager | None = None
    page: PageSettings = field(default_factory=PageSettings)
    counters: ExchangeCounters = field(default_factory=ExchangeCounters)

    def __post_init__(self) -> None:
        if isinstance(self.paths, str) or not all(path.startswith(("/", "*")) for path in self.paths or ()):
            raise ConfigurationError(
                f"MiddlewareConfig.paths is a list of patterns that begin with /, not {self.paths!r}"
            )
        if self.api is not None:
            wire_of(self.api)
        if self.keep_alive is not None and not self.keep_alive > 0:
            raise ConfigurationError(f"MiddlewareConfig.keep_alive must be positive or None, not {self.keep_alive!r}")
        if self.quota is not None and self.quota < 1:
            raise ConfigurationError(f"MiddlewareConfig.quota must be positive or None, not {self.quota!r}")
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise ConfigurationError(f"MiddlewareConfig.{name} must be a {kind.__name__}, not {value!r:.80}")
        if self.context is not None and not isinstance(self.context, ContextRules):
            raise ConfigurationError(f"MiddlewareConfig.context must be ContextRules or None, not {self.context!r:.80}")
        for observer in self.observers:
            if not callable(observer):
                raise ConfigurationError(f"MiddlewareConfig.observers are callables, not {observer!r}")
        check_stages(self.stages)

    def applies(self, path: str) -> bool:
        """Tell whether this path is looked at."""
        return self.paths is None or any(fnmatchcase(path, pattern) for pattern in self.paths)

    @property
    def memory(self) -> MemoryManager:
        """The manager in use."""
        return self.manager if self.manager is not None else default_manager()


_KINDS: Final = {"timeouts": Timeouts, "limits": StreamLimits, "disconnect": DisconnectPolicy, "page": PageSettings}
