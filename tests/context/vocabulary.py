"""Find or fetch the vocabulary for tests; says why where it cannot be had."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from streamarena.cli._vocabulary import fetch_vocabulary
from streamarena.context.vocabulary import find_vocabulary
from streamarena.errors import ConfigurationError


@cache
def ensure_vocabulary() -> tuple[Path | None, str]:
    """The path of o200k_base, or None and the reason."""
    if find_spec("tiktoken") is None:
        return None, "tiktoken is not installed (extra: tokens)"
    found = find_vocabulary()
    if found is not None:
        return found, ""
    try:
        return fetch_vocabulary(timeout=50.0), ""
    except ConfigurationError as error:
        return None, f"no o200k_base vocabulary here, and the package index did not give one: {error}"
