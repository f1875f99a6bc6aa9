"""Which wire API a request path belongs to, seen from its end.

What stands before is free, since gateways and Azure put prefixes of their own there. Data, not branches.
Not here: the providers' addresses and how to authenticate (`client/endpoints.py`).
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["ROUTES", "api_of_path"]

ROUTES: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), api)
    for pattern, api in (
        (r"/chat/completions$", "openai-chat"),
        (r"/messages$", "anthropic"),
        (r"/responses$", "openai-responses"),
        (r"/models/(?P<model>[^/:]+):(?P<verb>streamGenerateContent|generateContent)$", "gemini"),
        (r"/api/chat$", "ollama"),
    )
)
"""Path endings to the API they speak; Gemini's name the model and whether a stream is asked for."""


def api_of_path(path: str) -> str | None:
    """Return the API that answers at this path (without its query); None where the path does not tell."""
    path = path.rstrip("/")
    return next((api for pattern, api in ROUTES if pattern.search(path)), None)
