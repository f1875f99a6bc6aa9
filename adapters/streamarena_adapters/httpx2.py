"""A transport for `httpx2.AsyncClient` over streamarena's connections: shared buffers, TLS of our own, exact give-back.

Change one line: `httpx2.AsyncClient(transport=AsyncHTTPTransport())`. Redirects, cookies, authentication, decoding of
content and event hooks stay the client's; status, header, body and errors are what its own transport would give it.

Invariants: errors are httpx2's own, the core's error is their `__cause__`; leaving a response early closes its
connection synchronously, so a second cancellation finds nothing to interrupt; one wake-up brings all that has come.
Cost: nothing kept for an idle stream beyond the connection's own few kilobytes.
Not here: proxies, HTTP/2 and the `sni_hostname` extension are refused by name; the `trace` and `network_stream`
extensions are not offered. Trust is the system's, not certifi's.
"""

from __future__ import annotations

from streamarena.errors import MissingExtraError

try:
    import httpx2
except ImportError as error:
    raise MissingExtraError("httpx2", "httpx2", "this transport") from error

from streamarena_adapters._transport import BODY_EXTENSION, ResponseBody, Transport

__all__ = ["AsyncHTTPTransport"]


class AsyncHTTPTransport(Transport, httpx2.AsyncBaseTransport):
    """Our connections under `httpx2.AsyncClient`; belongs to one event loop.

    Args:
        verify: True checks against the system's trust store; a context replaces that, False checks nothing.
        limits: `httpx2.Limits`; None means streamarena's: 1,000 connections, 100 of them kept idle for 30 seconds. A
            client hands the limits it was given to its own transport only: give them here.
        proxy: must be None. http2: must be False.

    Raises:
        ConfigurationError: a proxy or HTTP/2 was asked for.
    """

    _library = httpx2

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request and return its response once the header is there.

        Raises:
            httpx2.TransportError: one of its subclasses, as from httpx2's own transport.

        Cancellation closes the connection.
        """
        raw = await self._send(request)
        body = _ResponseStream(httpx2, raw)
        extensions = {"http_version": raw.version, "reason_phrase": raw.reason, BODY_EXTENSION: body}
        return httpx2.Response(raw.status, headers=raw.headers, stream=body, extensions=extensions)


class _ResponseStream(ResponseBody, httpx2.AsyncByteStream):
    """The body, as httpx2 demands it."""
