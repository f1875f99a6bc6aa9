"""Addresses as users type them: with or without `/v1`, or the whole URL of an endpoint.

Invariant: what is returned is what `StreamClient` takes, the base URL without the endpoint's path.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit, urlunsplit

__all__ = ["base_url"]

_ENDPOINTS: Final = ("/chat/completions", "/completions", "/responses", "/messages", "/api/chat", "/generate_stream")
_VERSIONED: Final = {"gemini": "/v1beta", "ollama": "", "tgi": ""}


def base_url(url: str, api: str) -> str:
    """Return the base URL that `url` means for `api`: a bare host gets the usual version path (`/v1`)."""
    if "://" not in url:
        url = f"http://{url}"
    scheme, host, path, _, _ = urlsplit(url)
    path = path.rstrip("/")
    for endpoint in _ENDPOINTS:
        if path.endswith(endpoint):
            return urlunsplit((scheme, host, path.removesuffix(endpoint), "", ""))
    return urlunsplit((scheme, host, path or _VERSIONED.get(api, "/v1"), "", ""))
