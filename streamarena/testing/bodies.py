"""Lists of models, by wire API.

Invariants: shapes follow the providers' published API references (OpenAI, Anthropic, Google, Ollama).
Not here: replies and errors, which are made by `streamarena.providers`.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

__all__ = ["model_list"]


def model_list(api: str, models: Iterable[str], created: int) -> bytes:
    """Return the body of the listing of models, in the shape of one API."""
    names = list(models)
    if api == "anthropic":
        day = "2026-01-01T00:00:00Z"
        listed = [{"type": "model", "id": name, "display_name": name, "created_at": day} for name in names]
        ends = {"first_id": names[0], "last_id": names[-1]} if names else {}
        return orjson.dumps({"data": listed, "has_more": False, **ends})
    if api == "gemini":
        return orjson.dumps({"models": [{"name": f"models/{name}", "displayName": name} for name in names]})
    if api == "ollama":
        return orjson.dumps({"models": [{"name": name, "model": name} for name in names]})
    entries = [{"id": name, "object": "model", "created": created, "owned_by": "streamarena"} for name in names]
    return orjson.dumps({"object": "list", "data": entries})
