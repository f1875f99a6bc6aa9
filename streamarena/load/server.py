"""Small questions to the server under test, outside the measured run: is it ready, and which models does it have.

Invariants: asked in a thread, so that the loop is never blocked; answers are limited to 4 MiB.
Not here: streams. One plain GET needs none of the client's machinery.
"""

from __future__ import annotations

import asyncio
import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Final

import msgspec

from streamarena.client import ENDPOINTS
from streamarena.errors import ConfigurationError, ConnectionFailedError, ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["fetch", "first_model", "wait_until_ready"]

_ANSWER_BYTES: Final = 4 * 2**20
_POLL_SECONDS: Final = 0.5


class _Model(msgspec.Struct):
    id: str = ""
    name: str = ""


class _Models(msgspec.Struct):
    data: list[_Model] = []
    models: list[_Model] = []


async def fetch(url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 10.0) -> bytes:
    """Return the body of a GET request, at most 4 MiB of it.

    Raises:
        ConnectionFailedError: no answer. ProviderError: an answer that is no success.
    """
    return await asyncio.to_thread(_get, url, dict(headers or {}), timeout)


def _get(url: str, headers: dict[str, str], timeout: float) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"{url!r} is not an http or https URL")
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme is checked above
    parts = urllib.parse.urlsplit(url)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310 - as above
            body: bytes = answer.read(_ANSWER_BYTES)
            return body
    except urllib.error.HTTPError as error:
        raise ProviderError(f"GET {parts.path}: {error.reason}", status=error.code) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error  # urllib's own wraps what happened
        said = getattr(reason, "strerror", None) or reason
        raise ConnectionFailedError(parts.hostname or "", parts.port or 0, f"GET {parts.path}: {said}") from error


def _key_headers(api: str, api_key: str | None) -> dict[str, str]:
    endpoint = ENDPOINTS.get(api, ENDPOINTS["openai-chat"])
    key = {endpoint.key_header: endpoint.key_prefix + api_key} if api_key else {}
    return {**endpoint.headers, **key}


async def first_model(
    url: str, api: str, api_key: str | None = None, *, headers: Mapping[str, str] | None = None
) -> str:
    """Return the first model that the server lists.

    Args:
        url: the base URL.
        api: the wire API.
        api_key: sent as that API wants it.
        headers: sent too.

    Raises:
        ConfigurationError: it lists none, or what it lists cannot be read; name the model then.
        ConnectionFailedError: no answer.
    """
    path = "/api/tags" if api == "ollama" else "/models"
    try:
        body = await fetch(url.rstrip("/") + path, headers={**_key_headers(api, api_key), **(headers or {})})
    except ProviderError as error:
        raise ConfigurationError(f"{url}{path} lists no models ({error}); name the model") from error
    try:
        listed = msgspec.json.decode(body, type=_Models)
        first = (listed.data or listed.models)[0]
        return (first.id or first.name).removeprefix("models/")
    except (msgspec.MsgspecError, LookupError) as error:
        raise ConfigurationError(f"{url}{path} lists no models; name the model") from error


async def wait_until_ready(
    url: str, api: str, api_key: str | None = None, *, seconds: float, headers: Mapping[str, str] | None = None
) -> None:
    """Wait until the server lists its models.

    Raises:
        ConnectionFailedError: it did not within `seconds`.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            await first_model(url, api, api_key, headers=headers)
        except (ConnectionFailedError, ConfigurationError):
            if time.monotonic() >= end:
                raise
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return
