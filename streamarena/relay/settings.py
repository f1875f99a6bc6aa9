"""What a relay is told: targets, routes, limits. Plain values with units and defaults, checked when they are made.

Invariants: a key never stands here, only the name of the environment variable that holds it; every limit has a default.
Not here: reading them from a file (`config_file.py`); what they do (`routing.py`, `places.py`, `app.py`).
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from streamarena.client import Timeouts
from streamarena.errors import ConfigurationError
from streamarena.providers import APIS, wire_of
from streamarena.relay.disconnect import DisconnectPolicy
from streamarena.relay.limits import StreamLimits
from streamarena.relay.status.page import PageSettings

__all__ = [
    "AccessSettings",
    "ChoiceSettings",
    "RelayLimits",
    "RelaySettings",
    "RetrySettings",
    "RouteSettings",
    "TargetSettings",
    "TRANSLATED",
]

TRANSLATED: Final = ("openai-chat", "openai-responses", "anthropic")
"""The wires between which requests and replies are translated."""

_MIB: Final = 2**20


def _at_least(name: str, value: float | None, least: float) -> None:
    if value is not None and not value >= least:
        raise ConfigurationError(f"{name}: must be at least {least:g}, not {value:g}")


class TargetSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A server that requests may be sent to.

    Attributes:
        base_url: as for `StreamClient`: with the API's version, without the path of a call. What comes in under `/v1`
            goes out under its path; without a path of its own it is taken as it is, `/v1` included.
        api: the wire APIs that it speaks; the first is the one that others are translated to. Empty (default): whatever
            is asked is passed on as it is.
        key_variable: the environment variable that holds its key. Default: none is sent.
        forward_key: whether the caller's own key is sent on; not together with `key_variable`. Default False.
        headers: sent with every request, over the caller's.
        weight: its share where a route names several targets. Default 1.
        requests: requests served by it at once; None (default): no limit of its own.
        waiting: requests that may wait for one of those places. Default 100.
        unix_socket: path of the socket on which it listens. proxy: `http://[user:password@]host:port`.
    """

    base_url: str
    api: str | tuple[str, ...] = ()
    key_variable: str | None = None
    forward_key: bool = False
    headers: dict[str, str] = {}
    weight: float = 1.0
    requests: int | None = None
    waiting: int = 100
    unix_socket: str | None = None
    proxy: str | None = None

    def __post_init__(self) -> None:
        for api in self.apis:
            if api not in APIS or wire_of(api) not in TRANSLATED:
                raise ConfigurationError(f"api: the relay speaks {', '.join(TRANSLATED)} and their kin, not {api!r}")
        if self.key_variable and self.forward_key:
            raise ConfigurationError("forward_key: either the caller's key is sent on or key_variable's")
        if not self.weight > 0:
            raise ConfigurationError(f"weight: must be positive, not {self.weight:g}")
        _at_least("requests", self.requests, 1)
        _at_least("waiting", self.waiting, 0)

    @property
    def apis(self) -> tuple[str, ...]:
        """The APIs as a tuple."""
        return (self.api,) if isinstance(self.api, str) else self.api


class ChoiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A target of a route, and the model to ask it for; None: the one that the caller named."""

    target: str
    model: str | None = None


_Choice: TypeAlias = str | ChoiceSettings


class RetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Requests to one target, the first included, and the waits between them; see `RetryPolicy`."""

    attempts: int = 1
    first_wait: float = 0.5
    longest_wait: float = 30.0

    def __post_init__(self) -> None:
        _at_least("attempts", self.attempts, 1)
        _at_least("first_wait", self.first_wait, 0)
        _at_least("longest_wait", self.longest_wait, 0)


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where requests for some models go.

    Attributes:
        models: names, or patterns with `*` and `?`; the first route that has a match serves.
        targets: one of them is drawn for each request, by weight.
        fallbacks: asked in this order where that one failed before the first content.
        retry: how often each is asked. Default: once.
    """

    models: str | tuple[str, ...]
    targets: str | tuple[_Choice, ...]
    fallbacks: tuple[_Choice, ...] = ()
    retry: RetrySettings = RetrySettings()

    def __post_init__(self) -> None:
        if not self.models or not self.targets:
            raise ConfigurationError("models and targets: each needs at least one")


class RelayLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the relay itself; those of one stream are `StreamLimits`.

    Attributes:
        request_bytes: bytes of one request's body, decompressed (status 413). Default 32 MiB.
        request_seconds: how long a request's body may take to come (408). Default 60.
        requests: requests served at once (503). Default 1,000.
        waiting, wait_seconds: how many may wait for a place, and how long each. Defaults 100 and 10.
        hold_bytes: bytes of a response held back while another target may still be asked. Default 64 KiB.
        idle_connections: connections to each target that are kept for reuse. Default 100.
    """

    request_bytes: int = 32 * _MIB
    request_seconds: float = 60.0
    requests: int = 1000
    waiting: int = 100
    wait_seconds: float = 10.0
    hold_bytes: int = 64 * 2**10
    idle_connections: int = 100

    def __post_init__(self) -> None:
        least = {"request_seconds": 1e-3, "waiting": 0, "wait_seconds": 0, "idle_connections": 0}
        for name in self.__struct_fields__:
            _at_least(name, getattr(self, name), least.get(name, 1))


class AccessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who may call. `tokens_variable` names an environment variable with tokens, divided by commas or white space.

    Without it everybody may.
    """

    tokens_variable: str | None = None


class RelaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """All of a relay.

    Attributes:
        targets: by name. routes: in the order in which they are tried. Without routes every request goes to one of the
            targets, by weight; with them a model that none of them matches is refused.
        stream: how much one response may bring. disconnect: what becomes of a response whose caller has left.
        timeouts: as for `StreamClient`; `first_content` holds where the caller asked for a stream.
        page: whether there is a page at `/_streamarena`, and who may look. Default: there is none.
        whole_reply_seconds: how long the wait for a reply that is not streamed may last; 600 by default, as the SDKs
            wait themselves. shutdown_seconds: how long streams may go on once the end was asked for.
    """

    targets: dict[str, TargetSettings]
    routes: tuple[RouteSettings, ...] = ()
    limits: RelayLimits = RelayLimits()
    stream: StreamLimits = StreamLimits()
    timeouts: Timeouts = Timeouts()
    disconnect: DisconnectPolicy = DisconnectPolicy()
    access: AccessSettings = AccessSettings()
    page: PageSettings = PageSettings()
    whole_reply_seconds: float = 600.0
    shutdown_seconds: float = 30.0

    def __post_init__(self) -> None:
        if not self.targets:
            raise ConfigurationError("targets: a relay needs at least one")
        _at_least("shutdown_seconds", self.shutdown_seconds, 0)
        _at_least("whole_reply_seconds", self.whole_reply_seconds, 0.001)
