"""One target, ready to be asked: where it is, its key, its connections and its places.

Invariants: the key is read once from the environment and stands in one header of what is sent; it is in no repr, and
`scrubbed` takes it out of what a server sends back. Answers are asked for uncompressed, so that they can be read.
Not here: which target is asked (`routing.py`), what is made of its answer (`attempt.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from streamarena.client import ENDPOINTS, Limits, RawClient, RawRequest, RawTimeouts, Timeouts
from streamarena.client.request import parse_base_url
from streamarena.errors import ConfigurationError
from streamarena.providers import wire_of
from streamarena.relay.fields import query_without_key, request_fields
from streamarena.relay.places import Places

if TYPE_CHECKING:
    from streamarena.relay.asgi import Headers
    from streamarena.relay.intake import RelayRequest
    from streamarena.relay.settings import RelayLimits, TargetSettings

__all__ = ["Upstream"]

_REDACTED: Final = b"[key]"
_VERSION: Final = b"/v1"


class Upstream:
    """A target.

    Args:
        name: in the settings. settings: its own.
        limits, timeouts: the relay's.
        environment: where keys are.

    Attributes:
        name: as given. places: of requests that it serves at once. server: `host:port`, for people.

    Raises:
        ConfigurationError: an address that cannot be used, or a key that is not there.
    """

    def __init__(
        self,
        name: str,
        settings: TargetSettings,
        limits: RelayLimits,
        timeouts: Timeouts,
        environment: Mapping[str, str],
    ) -> None:
        self.name = name
        self.weight = settings.weight
        self._settings = settings
        self._url = parse_base_url(settings.base_url)
        self.server = f"{self._url.origin.host}:{self._url.origin.port}"
        self._key = _key_of(name, settings, environment)
        self._prefix = self._url.prefix.encode("ascii") or _VERSION
        self._fields = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in settings.headers.items()
        ]
        self._host = self._url.host_header.encode("ascii")
        self._timeouts = RawTimeouts(connect=timeouts.connect, pool=timeouts.pool, write=timeouts.idle)
        self.places = Places(settings.requests, settings.waiting, limits.wait_seconds, f"targets.{name}.requests", 429)
        self.client = RawClient(
            limits=Limits(
                # Draining and ending connections live on for a moment after their request's place is free.
                max_connections=2 * min(limits.requests, settings.requests or limits.requests) + 8,
                max_idle_connections=limits.idle_connections,
            ),
            proxy=settings.proxy,
            resend_stale=True,
        )

    def __repr__(self) -> str:
        return f"Upstream({self.name}, {self.server})"

    def api_for(self, api: str | None) -> str | None:
        """Return the API in which to ask for `api`: the same one, if this target speaks it or says nothing."""
        apis = self._settings.apis
        if api is None or not apis:
            return api
        return next((own for own in apis if wire_of(own) == wire_of(api)), apis[0])

    def translates(self, api: str | None) -> bool:
        """Tell whether a request for `api` is sent in another wire's form."""
        spoken = self.api_for(api)
        return api is not None and spoken is not None and wire_of(spoken) != wire_of(api)

    def request(self, asked: RelayRequest, body: bytes, api: str | None) -> RawRequest:
        """Return what is sent.

        Args:
            asked: what the caller asked.
            body: for this target.
            api: what the body is written in; None where nobody knows.
        """
        translated = self.translates(asked.api)
        if translated:
            assert api is not None
            target = self._prefix + ENDPOINTS[api].path.encode("ascii")
            headers: Headers = [(b"content-type", b"application/json"), (b"accept", b"text/event-stream")]
        else:
            target = self._target(asked)
            headers = request_fields(asked.headers, keep_key=self._settings.forward_key)
        own = self._own_fields(asked, api, translated=translated)
        replaced = {name for name, _ in own}
        fields = [*own, *(field for field in headers if field[0] not in replaced)]
        if body or asked.method in {"POST", "PUT", "PATCH"}:
            fields.append((b"content-length", b"%d" % len(body)))
        origin = self._url.origin
        return RawRequest(
            method=asked.method.encode("ascii"),
            scheme=origin.scheme,
            host=origin.host,
            port=origin.port,
            target=target,
            headers=fields,
            body=body,
            timeouts=self._timeouts,
            socket_path=self._settings.unix_socket,
        )

    def scrubbed(self, data: bytes) -> bytes:
        """Return what this server said without the key it was asked with."""
        return data if self._key is None else data.replace(self._key.encode("latin-1"), _REDACTED)

    @property
    def has_key(self) -> bool:
        """Whether it is asked with a key of the relay's."""
        return self._key is not None

    def _target(self, asked: RelayRequest) -> bytes:
        path = asked.path
        if path == _VERSION or path.startswith(_VERSION + b"/"):
            path = self._prefix + path[len(_VERSION) :]
        query = query_without_key(asked.query)
        return path + b"?" + query if query else path

    def _own_fields(self, asked: RelayRequest, api: str | None, *, translated: bool) -> Headers:
        fields: Headers = [(b"host", self._host), (b"accept-encoding", b"identity"), *self._fields]
        spoken = api or ("anthropic" if any(name == b"anthropic-version" for name, _ in asked.headers) else None)
        endpoint = ENDPOINTS[spoken or next(iter(self._settings.apis), "openai-chat")]
        if translated:
            fields += [(name.encode("ascii"), value.encode("ascii")) for name, value in endpoint.headers.items()]
        if self._key is not None:
            key = (endpoint.key_prefix + self._key).encode("latin-1")
            fields.append((endpoint.key_header.encode("ascii"), key))
        return fields


def _key_of(name: str, settings: TargetSettings, environment: Mapping[str, str]) -> str | None:
    variable = settings.key_variable
    if variable is None:
        return None
    key = environment.get(variable, "").strip()
    if not key:
        raise ConfigurationError(f"targets.{name}: the environment variable {variable} is not set")
    if not key.isascii() or not key.isprintable():
        raise ConfigurationError(f"targets.{name}: {variable} holds characters that may not stand in a header")
    return key
