"""What is asked of the relay itself: its health, its metrics, and the models that its routes know.

Not here: counting, which an observer does (the adapter `prometheus`).
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, Protocol

from streamarena.errors import MissingExtraError
from streamarena.providers.encoders.parts import dump
from streamarena.relay.asgi import Headers, field

if TYPE_CHECKING:
    from streamarena.relay.observing import ExchangeMoment

__all__ = ["OWN_PATHS", "Metrics", "find_metrics", "model_list"]

OWN_PATHS: Final = frozenset({"/healthz", "/metrics"})


class Metrics(Protocol):
    """An observer that can show what it counted."""

    def __call__(self, moment: ExchangeMoment, /) -> None:
        """Count a moment."""
        ...

    def render(self) -> tuple[bytes, str]:
        """Return what was counted, and its content type."""
        ...


def find_metrics() -> Metrics | None:
    """Return the Prometheus adapter; None where its extra is not installed."""
    for found in entry_points(group="streamarena.adapters", name="prometheus"):
        try:
            metrics: Metrics = found.load()()
        except (ImportError, MissingExtraError):
            return None
        return metrics
    return None


def model_list(headers: Headers, models: Iterable[str]) -> bytes:
    """Return the listing of models, in the form of the API that the caller speaks."""
    names = list(models)
    if field(headers, b"anthropic-version") is not None:
        listed = [
            {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"} for name in names
        ]
        return dump({"data": listed, "has_more": False, "first_id": names[0], "last_id": names[-1]})
    entries = [{"id": name, "object": "model", "created": 0, "owned_by": "relay"} for name in names]
    return dump({"object": "list", "data": entries})
