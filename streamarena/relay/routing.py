"""Which targets a request is sent to, and in which order.

Invariants: the first route with a matching model serves; one of its targets is drawn by weight, its fallbacks follow in
their order. Patterns know `*` and `?` and nothing else, and match the whole name, in its own case.
Cost: a walk over the routes for each request, whose outcome is remembered for the last thousand names.
Not here: sending (`attempt.py`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from streamarena.client.retry import RetryPolicy
from streamarena.errors import RelayBusyError, RequestRefusedError

if TYPE_CHECKING:
    from streamarena.relay.intake import RelayRequest
    from streamarena.relay.settings import ChoiceSettings, RelaySettings, RouteSettings
    from streamarena.relay.upstream import Upstream

__all__ = ["Choice", "Plan", "Router"]

_REMEMBERED: Final = 1000
_ERRORS: Final = (*RetryPolicy().errors, RelayBusyError)  # where one target is busy, the next may have a place


class Choice(NamedTuple):
    """A target to ask, and the model to ask it for; None: the caller's."""

    upstream: Upstream
    model: str | None


class Plan(NamedTuple):
    """Whom to ask, in order, and how often."""

    choices: tuple[Choice, ...]
    policy: RetryPolicy


class _Route:
    """A route whose names are looked up."""

    def __init__(self, settings: RouteSettings, upstreams: Mapping[str, Upstream]) -> None:
        names = (settings.models,) if isinstance(settings.models, str) else settings.models
        self.names = tuple(name for name in names if not _is_pattern(name))
        self.matches = re.compile("|".join(map(_expression, names)), re.DOTALL).fullmatch
        targets = (settings.targets,) if isinstance(settings.targets, str) else settings.targets
        self.targets = [_choice(target, upstreams) for target in targets]
        self.fallbacks = [_choice(target, upstreams) for target in settings.fallbacks]
        retry = settings.retry
        self.policy = RetryPolicy(
            attempts=retry.attempts, first_wait=retry.first_wait, longest_wait=retry.longest_wait, errors=_ERRORS
        )


class Router:
    """Finds targets.

    Args:
        settings: the relay's. upstreams: by name.
        draw: returns a number from 0 to below 1; for tests.

    Attributes:
        models: the names, without patterns, that the routes know.
    """

    def __init__(
        self,
        settings: RelaySettings,
        upstreams: Mapping[str, Upstream],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._draw = draw
        self._all = [Choice(upstream, None) for upstream in upstreams.values()]
        self._routes = [_Route(route, upstreams) for route in settings.routes]
        self._once = RetryPolicy(attempts=1)
        self._route_for = lru_cache(maxsize=_REMEMBERED)(self._find)
        self.models = tuple(dict.fromkeys(name for route in self._routes for name in route.names))

    def plan(self, request: RelayRequest) -> Plan:
        """Return whom to ask.

        Raises:
            RequestRefusedError: no route knows the model (status 404).
        """
        if request.model is None and request.api is None:
            return Plan((self._all[0],), self._once)
        if not self._routes:
            return Plan((self._drawn(self._all),), self._once)
        route = self._route_for(request.model or "")
        if route is None:
            raise RequestRefusedError(404, f"no route leads to the model {(request.model or '')[:100]!r}", "model")
        first = self._drawn(route.targets)
        return Plan((first, *(choice for choice in route.fallbacks if choice != first)), route.policy)

    def _find(self, model: str) -> _Route | None:
        return next((route for route in self._routes if route.matches(model)), None)

    def _drawn(self, choices: list[Choice]) -> Choice:
        if len(choices) == 1:
            return choices[0]
        left = self._draw() * sum(choice.upstream.weight for choice in choices)
        for choice in choices:
            left -= choice.upstream.weight
            if left < 0:
                return choice
        return choices[-1]


def _choice(choice: str | ChoiceSettings, upstreams: Mapping[str, Upstream]) -> Choice:
    if isinstance(choice, str):
        return Choice(upstreams[choice], None)
    return Choice(upstreams[choice.target], choice.model)


def _is_pattern(name: str) -> bool:
    return "*" in name or "?" in name


def _expression(name: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(character) or re.escape(character) for character in name)
