"""What a pipeline is made of: steps, and how anything that a user hands over becomes steps.

A step is a kind and a callable. `Stage` is the type that users name in annotations: a run of steps from `A` to `B`.

Invariants:
    * Steps are immutable and hold no state of a run; `Step.resolve` makes what is stateful anew for each run.
    * A coroutine function where a synchronous one is needed is refused here, at construction.

Costs nothing per item. It neither runs nor orders anything: `fusing` compiles steps, `flow` runs them.
"""

from __future__ import annotations

import enum
import functools
import inspect
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, cast, runtime_checkable

__all__ = [
    "Stage",
    "StageLike",
    "FeedStage",
    "Kind",
    "Step",
    "steps_of",
    "function_step",
    "stateful_step",
    "object_step",
    "check_fed",
    "is_asynchronous",
    "named",
]

A = TypeVar("A")
B = TypeVar("B")
A_contra = TypeVar("A_contra", contravariant=True)
B_co = TypeVar("B_co", covariant=True)


@runtime_checkable
class FeedStage(Protocol[A_contra, B_co]):
    """A stage with memory: it is fed items one by one, and flushed once when the stream has ended well."""

    def feed(self, item: A_contra, /) -> Iterable[B_co]:
        """Take one item; return what can be passed on now, which may be nothing."""
        ...

    def flush(self) -> Iterable[B_co]:
        """The stream is over: return what is left."""
        ...


class Stage(Generic[A_contra, B_co]):
    """A run of steps that takes items of type `A` and gives items of type `B`.

    Made by `map`, `flat_map`, `filter`, `tap`, `stateful`, `map_async` and `Pipeline`; never by hand. It is immutable
    and holds no state of a run, so one stage may serve any number of streams at once.
    """

    __slots__ = ("steps",)

    steps: tuple[Step, ...]

    def __init__(self, steps: tuple[Step, ...] = ()) -> None:
        self.steps = steps


StageLike: TypeAlias = Stage[A, B] | FeedStage[A, B] | type[FeedStage[A, B]] | Callable[[A], B]
"""What stands for a stage: a stage, an object with `feed` and `flush`, the class of one, or a bare callable (`map`)."""


class Kind(enum.Enum):
    """What a step does with the value that its callable returns. The value is the letter that shapes are made of."""

    MAP = "m"
    FLAT_MAP = "x"
    FILTER = "p"
    INSTANCE = "i"
    TAP = "t"
    STATEFUL = "f"
    OBJECT = "o"
    MAP_ASYNC = "a"


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step of a pipeline.

    Attributes:
        kind: what is done with the result.
        target: the callable; the class for INSTANCE, the factory for STATEFUL, the object itself for OBJECT.
        concurrency: for MAP_ASYNC, the items that may be under way or finished and undelivered.
        ordered: for MAP_ASYNC, whether results come in the order of the items.
    """

    kind: Kind
    target: Any
    concurrency: int = 0
    ordered: bool = True

    def __str__(self) -> str:
        label = "flat_map" if self.kind is Kind.FLAT_MAP else self.kind.name.lower()
        return f"{label}({named(self.target)})"


def steps_of(stage: object) -> tuple[Step, ...]:
    """The steps that `stage` stands for.

    Raises:
        TypeError: it is nothing that can be a stage, or a coroutine function.
    """
    if isinstance(stage, Stage):
        return stage.steps
    if isinstance(stage, type):
        if _feeds(stage):
            return (stateful_step(stage),)
        return (function_step(Kind.MAP, stage),)
    if _feeds(stage):
        return (object_step(stage),)
    return (function_step(Kind.MAP, stage),)


def function_step(kind: Kind, function: object) -> Step:
    """A step that calls `function` for each item; it must be synchronous."""
    if not callable(function):
        raise TypeError(f"a stage is a callable or an object with feed and flush, not {type(function).__name__}")
    if is_asynchronous(function):
        raise TypeError(
            f"{named(function)} is asynchronous and {kind.name.lower()} is synchronous: "
            "use map_async(function, concurrency=n)"
        )
    return Step(kind, function)


def stateful_step(factory: Callable[[], object]) -> Step:
    """A step whose object is made anew for each run."""
    if not callable(factory):
        raise TypeError(f"stateful takes a class or a factory, not {type(factory).__name__}")
    if is_asynchronous(factory):
        raise TypeError(f"{named(factory)} is asynchronous: a factory of stages is synchronous")
    if isinstance(factory, type):
        _check_feeds(factory)
    return Step(Kind.STATEFUL, factory)


def object_step(instance: object) -> Step:
    """A step around one object, which can serve one run at a time."""
    _check_feeds(instance)
    return Step(Kind.OBJECT, instance)


def check_fed(made: object, factory: object) -> FeedStage[Any, Any]:
    """What a factory made, if it can be fed.

    Raises:
        TypeError: it has no `feed` and `flush`, or they are asynchronous.
    """
    if not _feeds(made):
        raise TypeError(f"{named(factory)} made {type(made).__name__}, which has no feed and flush")
    _check_feeds(made)
    return cast(FeedStage[Any, Any], made)


def named(target: object) -> str:
    """How messages and task names call a callable: its qualified name, or its type's."""
    while isinstance(target, functools.partial):
        target = target.func
    return getattr(target, "__qualname__", None) or type(target).__qualname__


def is_asynchronous(function: object) -> bool:
    """Whether calling `function` is known to return an awaitable or an asynchronous iterator."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, _NEVER_ASYNCHRONOUS):
        return False
    if type(function) is types.FunctionType:
        return bool(function.__code__.co_flags & _ASYNCHRONOUS) or inspect.iscoroutinefunction(function)
    call = getattr(type(function), "__call__", None)  # noqa: B004 - the method itself is looked at, not its presence
    return any(inspect.iscoroutinefunction(f) or inspect.isasyncgenfunction(f) for f in (function, call))


_NEVER_ASYNCHRONOUS = (type, types.BuiltinFunctionType, types.MethodDescriptorType)
_ASYNCHRONOUS = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def _feeds(stage: object) -> bool:
    return callable(getattr(stage, "feed", None)) and callable(getattr(stage, "flush", None))


def _check_feeds(stage: object) -> None:
    for name in ("feed", "flush"):
        method = getattr(stage, name, None)
        if not callable(method):
            raise TypeError(f"{named(stage)} has no {name}: a stage with memory has both feed and flush")
        if is_asynchronous(method):
            raise TypeError(f"{named(stage)}.{name} is asynchronous; stages with memory are synchronous")
