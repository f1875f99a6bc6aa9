"""Values for labels and attributes: bounded in number and length, for a metrics store keeps every one for ever.

Invariants: at most `limit` different values pass; what comes after them is "other" and counted. A value that has passed
always passes. Errors are named by their kind and never by their text, which may hold anything.
"""

from __future__ import annotations

from typing import Final

from streamarena.errors import ConfigurationError, ProviderError

__all__ = ["MAX_VALUES", "BoundedValues", "error_kind"]

MAX_VALUES: Final = 200
_MAX_LENGTH: Final = 100


class BoundedValues:
    """The values of one label.

    Args:
        limit: how many different ones pass. Default 200.

    Attributes:
        refused: how often a value was replaced by "other".

    Raises:
        ConfigurationError: the limit is below 1.
    """

    def __init__(self, limit: int = MAX_VALUES) -> None:
        if limit < 1:
            raise ConfigurationError(f"max_label_values must be at least 1, not {limit}")
        self._limit = limit
        self._known: set[str] = set()
        self.refused = 0

    def __call__(self, value: str | None) -> str:
        """Return the value, or "other"; empty for None."""
        if not value or value in self._known:
            return value or ""
        if len(self._known) >= self._limit or len(value) > _MAX_LENGTH:
            self.refused += 1
            return "other"
        self._known.add(value)
        return value


def error_kind(error: BaseException) -> str:
    """Return the provider's status where there is one, otherwise the error's class."""
    if isinstance(error, ProviderError) and error.status is not None:
        return str(error.status)
    return type(error).__name__
