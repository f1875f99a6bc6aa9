"""The official Anthropic SDK with streams that cost little: our transport under it, light objects for pydantic's.

Two changes, each of one line and each of use without the other:

    client = AsyncAnthropic(http_client=http_client())   # connections of ours
    client = lean(client)                                # events of ours: `event.delta.text` as ever

Invariants: authentication, retries, errors, options, raw responses and calls that do not stream stay the SDK's; an
async client and its streams belong to one event loop. Nothing of the SDK is patched.
Not here: the synchronous client; the beta resources, which stay as they are.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from streamarena.errors import MissingExtraError

try:
    import anthropic
except ImportError as error:
    raise MissingExtraError("anthropic", "anthropic", "this adapter") from error

from streamarena_adapters._sdk import client_over_transport
from streamarena_adapters.anthropic.client import LeanAnthropic, lean
from streamarena_adapters.anthropic.events import RawMessageStreamEvent
from streamarena_adapters.anthropic.helpers import MessageStream
from streamarena_adapters.anthropic.streams import MessageEventStream

if TYPE_CHECKING:
    import httpx2

    from streamarena_adapters._transport import LibraryLimits

__all__ = [
    "http_client",
    "lean",
    "LeanAnthropic",
    "MessageEventStream",
    "MessageStream",
    "RawMessageStreamEvent",
]


def http_client(
    *,
    verify: ssl.SSLContext | bool = True,
    limits: LibraryLimits | None = None,
    **settings: Any,  # noqa: ANN401 - of the library that the SDK is on
) -> httpx2.AsyncClient:
    """Return a client for `AsyncAnthropic(http_client=...)` over our connections, with the SDK's timeouts.

    Args:
        verify: True checks against the system's trust store; a context replaces that, False checks nothing.
        limits: of the connections. Default: the SDK's own (1,000, of which 100 are kept idle, for 5 seconds).
        **settings: for the library's `AsyncClient`: `timeout` (default: the SDK's 600 seconds, 5 for connecting),
            `headers`, `event_hooks`, ...

    Raises:
        ConfigurationError: the SDK is on a library that we have no transport for.

    Proxies of the environment are not used: keep the SDK's own client behind one.
    """
    chosen = anthropic.DEFAULT_CONNECTION_LIMITS if limits is None else limits
    client: httpx2.AsyncClient = client_over_transport(anthropic.DefaultAsyncHttpxClient, chosen, verify, settings)
    return client
