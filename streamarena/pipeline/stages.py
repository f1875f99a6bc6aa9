"""The stages that users name: `map`, `flat_map`, `filter`, `tap`, `stateful` and `map_async`.

Each returns a pipeline of one step, so a stage alone can already be combined with `|`, put `over` a source, or `run`.
Two of them carry the names of built-ins, whose meaning they share.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar, overload

from streamarena.errors import ConfigurationError
from streamarena.pipeline.pipeline import Keep, Pipeline
from streamarena.pipeline.steps import FeedStage, Kind, Stage, Step, function_step, named, stateful_step

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = ["map", "flat_map", "filter", "tap", "stateful", "map_async"]

A = TypeVar("A")
B = TypeVar("B")


def map(function: Callable[[A], B]) -> Pipeline[A, B]:
    """Each item becomes what `function` returns; None is a value like any other.

    Raises:
        TypeError: `function` is a coroutine function, or at run time returns an awaitable.
    """
    return Pipeline(_one(function_step(Kind.MAP, function)))


def flat_map(function: Callable[[A], Iterable[B]]) -> Pipeline[A, B]:
    """Each item becomes the items of the iterable that `function` returns: none, one or many.

    Raises:
        TypeError: `function` is asynchronous, or at run time returns an awaitable or no iterable.
    """
    return Pipeline(_one(function_step(Kind.FLAT_MAP, function)))


@overload
def filter(predicate: type[B]) -> Pipeline[object, B]: ...  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]  # narrowing comes first
@overload
def filter(predicate: Callable[[A], TypeIs[B]]) -> Pipeline[A, B]: ...  # type: ignore[overload-overlap]  # narrowing comes first
@overload
def filter(predicate: Callable[[A], TypeGuard[B]]) -> Pipeline[A, B]: ...  # type: ignore[overload-overlap]  # narrowing comes first
@overload
def filter(predicate: Callable[[A], object]) -> Keep[A]: ...
def filter(predicate: Callable[[Any], object]) -> Pipeline[Any, Any]:
    """Only the items for which `predicate` is true; with a class, only its instances.

    Type checkers follow classes, `TypeGuard` and `TypeIs`: what comes out has the narrower type.

    Raises:
        TypeError: `predicate` is asynchronous, or `bool`, which could mean either.
    """
    if predicate is bool:
        raise TypeError("filter(bool) could mean two things: use filter(operator.truth) for items that are true")
    if isinstance(predicate, type):
        return Pipeline(_one(Step(Kind.INSTANCE, predicate)))
    return Keep(_one(function_step(Kind.FILTER, predicate)))


def tap(function: Callable[[A], object]) -> Keep[A]:
    """Call `function` with each item and pass the item on; what it returns is dropped.

    Raises:
        TypeError: `function` is a coroutine function, or at run time returns an awaitable.
    """
    return Keep(_one(function_step(Kind.TAP, function)))


def stateful(factory: Callable[[], FeedStage[A, B]]) -> Pipeline[A, B]:
    """A stage with memory: each run feeds an object of its own, made by `factory`, and flushes it at the end.

    Args:
        factory: a class, or a callable without arguments, whose objects have `feed(item)` and `flush()`, both of
            which return an iterable. A class may also stand in a pipeline bare.

    Raises:
        TypeError: what the factory makes has no `feed` and `flush`, or asynchronous ones.
    """
    return Pipeline(_one(stateful_step(factory)))


def map_async(function: Callable[[A], Awaitable[B]], *, concurrency: int, ordered: bool = True) -> Pipeline[A, B]:
    """Each item becomes what awaiting `function(item)` gives, for several items at once.

    Calls run as tasks, in the context (the request scope) of whoever first reads the flow. When a call fails, the
    others are cancelled and the error is raised as it is, after the results that came before it.

    Args:
        function: called with an item, returns an awaitable.
        concurrency: at most so many items are under way or finished and not yet read; the source waits meanwhile.
        ordered: give results in the order of their items; False gives them as they finish.

    Raises:
        TypeError: `function` cannot be called.
        ConfigurationError: `concurrency` is less than one.
    """
    if not callable(function):
        raise TypeError(f"map_async takes a callable, not {type(function).__name__}")
    if concurrency < 1:
        raise ConfigurationError(f"map_async({named(function)}): concurrency must be at least 1, not {concurrency}")
    return Pipeline(_one(Step(Kind.MAP_ASYNC, function, concurrency, ordered)))


def _one(step: Step) -> Stage[Any, Any]:
    return Stage((step,))
