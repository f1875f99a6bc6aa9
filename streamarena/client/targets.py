"""Where a request goes and in which form: one target of a client, ready to write requests.

Invariants: a key stands in its header and in no repr; a request is written anew for each target, with that target's
model, members and address.
Cost: one bytes object a request.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from streamarena.client.breaker import CircuitBreaker
from streamarena.client.endpoints import endpoint_for
from streamarena.client.request import parse_base_url, request_body, request_head, with_body
from streamarena.errors import CircuitOpenError, ConfigurationError

if TYPE_CHECKING:
    from streamarena.client.breaker import BreakerPolicy
    from streamarena.client.pool import Origin

__all__ = ["Asked", "Route", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """Somewhere to ask when the first address fails; see `StreamClient(fallbacks=...)`.

    Attributes:
        base_url, api, api_key, headers: as for `StreamClient`.
        model: replaces the request's model. None: the same.
        unix_socket: path of the socket on which this server listens; `base_url` still names it.
        adapt: turns the members of a request into those for this target, where the API is another one.
    """

    base_url: str | None = None
    api: str = "openai-chat"
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    model: str | None = None
    unix_socket: str | None = None
    adapt: Callable[[dict[str, Any]], Mapping[str, Any]] | None = field(default=None, repr=False)


class Asked(msgspec.Struct, frozen=True):
    """What a user asked for, before it is written for a target.

    Attributes:
        body: members, or bytes that are sent as they are, at once or as they come.
        path: replaces the API's; headers: over the target's.
    """

    body: Mapping[str, Any] | bytes | AsyncIterable[bytes]
    path: str | None
    headers: Mapping[str, str]


class Route:
    """A target that requests can be written for.

    Args:
        target: where to, and in which form.
        breaker: when it is left alone; None: never.

    Attributes:
        server: `host:port`, for people and metrics. breaker: its circuit breaker, if there is one.

    Raises:
        ConfigurationError: the target cannot be used.
    """

    def __init__(self, target: Target, breaker: BreakerPolicy | None = None) -> None:
        self.endpoint = endpoint_for(target.api)
        address = target.base_url or self.endpoint.base_url
        if not address:
            raise ConfigurationError(f"{target.api} has no address of its own; give base_url=")
        self.api = target.api
        url = parse_base_url(address)
        self.url = msgspec.structs.replace(url, origin=replace(url.origin, socket_path=target.unix_socket))
        self._target = target
        self._headers = {**self.endpoint.headers, **target.headers}
        if target.api_key:
            self._headers[self.endpoint.key_header] = self.endpoint.key_prefix + target.api_key
        self.server = f"{self.url.origin.host}:{self.url.origin.port}"
        self.breaker = None if breaker is None else CircuitBreaker(breaker)
        self._usual_path = ""
        self._usual_head = b""

    def __repr__(self) -> str:
        return f"Route({self.url.origin.scheme}://{self.url.host_header}{self.url.prefix}, api={self.api!r})"

    @property
    def origin(self) -> Origin:
        """Where to connect."""
        return self.url.origin

    def model_of(self, asked: Asked) -> str:
        """Return the model that is asked for here; empty where the body is bytes or names none."""
        named = str(asked.body.get("model", "")) if isinstance(asked.body, Mapping) else ""
        return self._target.model or named

    def admit(self) -> None:
        """Let a request be sent; its end is told with `judge`.

        Raises:
            CircuitOpenError: this target is left alone.
        """
        if self.breaker is not None:
            now = time.monotonic()
            if not self.breaker.admit(now):
                raise CircuitOpenError(self.server, self.breaker.seconds_left(now))

    def judge(self, well: bool | None) -> None:
        """Tell how a request that was admitted went; None: nobody waited for it, or it was wrong itself."""
        if self.breaker is None:
            return
        if well is None:
            self.breaker.abandoned()
        elif well:
            self.breaker.answered(time.monotonic())
        else:
            self.breaker.failed(time.monotonic())

    def write(self, asked: Asked) -> bytes:
        """Return the whole request.

        Raises:
            ConfigurationError: it cannot be written.
        """
        model = self.model_of(asked)
        payload: bytes | None
        if isinstance(asked.body, bytes):
            payload = asked.body
        elif not isinstance(asked.body, Mapping):
            payload = None
        else:
            members = dict(asked.body)
            if self._target.model is not None:
                members["model"] = model
            if self._target.adapt is not None:
                members = dict(self._target.adapt(members))
            payload = request_body(self.endpoint, members)
        path = asked.path or self.endpoint.path
        if "{model}" in path:
            path = path.replace("{model}", quote(model, safe=""))
        return with_body(self._head(path, asked.headers), payload)

    def _head(self, path: str, headers: Mapping[str, str]) -> bytes:
        if headers:
            return request_head(self.url, path, {**self._headers, **headers})
        if path != self._usual_path:  # nearly every request of a client goes to one path
            self._usual_head = request_head(self.url, path, self._headers)
            self._usual_path = path
        return self._usual_head
