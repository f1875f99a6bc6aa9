"""Is the model going in circles? Identical tool calls in a row, and mistakes in a row.

Rules of sections 5.6 and 5.7 of the reference behaviour. Invariant: a blocked call resets the memory, so that the model
may go on after guidance. Cost: one canonical JSON text for each call; only the last one is kept.
Not here: what the user is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from streamarena.context._javascript import stringify

if TYPE_CHECKING:
    from streamarena.context.parameters import Generation

__all__ = ["DEFAULT_LIMIT", "MistakeCounter", "ToolRepetitionDetector"]

DEFAULT_LIMIT: Final = 3


class ToolRepetitionDetector:
    """Blocks the call after `limit` identical ones in a row (with the default 3: the fourth).

    Args:
        limit: repetitions after which a call is blocked; 0 or less: never.
        generation: "classic" lets browser scrolling repeat, and compares parameters in the order of their keys at the
            first level; "native" sorts keys at every level and also compares `native_args`.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT, *, generation: Generation = "native") -> None:
        self.limit = limit
        self.generation: Generation = generation
        self._previous: str | None = None
        self._repeated = 0

    def allows(self, name: str, parameters: Mapping[str, Any], native_args: Mapping[str, Any] | None = None) -> bool:
        """Take note of a call, and tell whether it may be executed.

        Args:
            name: the tool.
            parameters: its parameters.
            native_args: its typed arguments (native only).
        """
        if self.generation == "classic" and _is_scroll(name, parameters):
            return True
        key = self._key(name, parameters, native_args)
        if key == self._previous:
            self._repeated += 1
        else:
            self._previous, self._repeated = key, 0
        if 0 < self.limit <= self._repeated:
            self._previous, self._repeated = None, 0
            return False
        return True

    def _key(self, name: str, parameters: Mapping[str, Any], native_args: Mapping[str, Any] | None) -> str:
        if self.generation == "classic":
            return stringify({"name": name, "parameters": {key: parameters[key] for key in sorted(parameters)}})
        call: dict[str, Any] = {"name": name, "params": parameters}
        if native_args:
            call["nativeArgs"] = native_args
        return stringify(_sorted(call))


def _is_scroll(name: str, parameters: Mapping[str, Any]) -> bool:
    return name == "browser_action" and parameters.get("action") in ("scroll_down", "scroll_up")


def _sorted(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        mapping = cast(Mapping[str, Any], value)
        return {key: _sorted(mapping[key]) for key in sorted(mapping)}
    if isinstance(value, list):
        return [_sorted(item) for item in cast(Sequence[Any], value)]
    return value


class MistakeCounter:
    """Counts mistakes in a row and says when to ask the user for guidance.

    Mistakes are: a missing parameter, an invalid tool, a failed diff, an empty answer, a file error, and an answer
    without a tool. In the native generation the first of these last in a row is silent and uncounted.

    Args:
        limit: mistakes after which guidance is due; 0: never.
        generation: whose rule for answers without a tool.

    Attributes:
        count: mistakes in a row.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT, *, generation: Generation = "native") -> None:
        self.limit = limit
        self.generation: Generation = generation
        self.count = 0
        self._without_tool = 0

    def mistake(self) -> None:
        """Count a mistake."""
        self.count += 1

    def answer_without_tool(self) -> bool:
        """Count an answer that used no tool; tell whether the model should be reminded of the tools."""
        self._without_tool += 1
        if self.generation == "native" and self._without_tool < 2:
            return False
        self.count += 1
        return True

    def success(self) -> None:
        """A tool succeeded: start again from nothing."""
        self.count = 0
        self._without_tool = 0

    @property
    def guidance_due(self) -> bool:
        """Whether the user should be asked before the model goes on; reset by `guided`."""
        return 0 < self.limit <= self.count

    def guided(self) -> None:
        """The user has given guidance: start again from nothing."""
        self.count = 0
