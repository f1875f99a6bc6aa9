"""`Pipeline`: stages in a row, to be put over a source or run on a list.

Invariants:
    * A pipeline is immutable; `|` makes a new one. It may stand over any number of streams at once.
    * It means what a list comprehension over the whole stream would mean, however the stream is cut into batches.

Costs nothing until it runs. Consecutive synchronous stages become one loop (`fusing`); each `map_async` is a boundary
(`boundary`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from streamarena.pipeline.flow import Flow, flow_over
from streamarena.pipeline.run import Run
from streamarena.pipeline.steps import FeedStage, Kind, Stage, StageLike, steps_of

if TYPE_CHECKING:
    from streamarena.pipeline.sources import Source

__all__ = ["Pipeline", "Keep"]

A_contra = TypeVar("A_contra", contravariant=True)
B_co = TypeVar("B_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
G = TypeVar("G")
H = TypeVar("H")
K = TypeVar("K")


class Pipeline(Stage[A_contra, B_co]):
    """Stages in a row.

    Args:
        *stages: stages, objects with `feed` and `flush` or their classes, pipelines, or callables (each is `map`).
            Typed for up to eight; write `|` or nest pipelines for more. Type checkers take a bare class for a callable
            here: write `stateful(SplitLines)`, or `| SplitLines`, to have its items' type.

    Raises:
        TypeError: something is no stage, or asynchronous where it must be synchronous.

    Example:
        >>> Pipeline(str.strip, filter(operator.truth), len).run(["a ", " ", "bcd"])
        [1, 3]
    """

    __slots__ = ()

    @overload
    def __init__(self: Pipeline[A, B], s1: StageLike[A, B], /) -> None: ...

    @overload
    def __init__(self: Pipeline[A, C], s1: StageLike[A, B], s2: StageLike[B, C], /) -> None: ...

    @overload
    def __init__(
        self: Pipeline[A, D],
        s1: StageLike[A, B],
        s2: StageLike[B, C],
        s3: StageLike[C, D],
        /,
    ) -> None: ...

    @overload
    def __init__(
        self: Pipeline[A, E],
        s1: StageLike[A, B],
        s2: StageLike[B, C],
        s3: StageLike[C, D],
        s4: StageLike[D, E],
        /,
    ) -> None: ...

    @overload
    def __init__(
        self: Pipeline[A, F],
        s1: StageLike[A, B],
        s2: StageLike[B, C],
        s3: StageLike[C, D],
        s4: StageLike[D, E],
        s5: StageLike[E, F],
        /,
    ) -> None: ...

    @overload
    def __init__(
        self: Pipeline[A, G],
        s1: StageLike[A, B],
        s2: StageLike[B, C],
        s3: StageLike[C, D],
        s4: StageLike[D, E],
        s5: StageLike[E, F],
        s6: StageLike[F, G],
        /,
    ) -> None: ...

    @overload
    def __init__(
        self: Pipeline[A, H],
        s1: StageLike[A, B],
        s2: StageLike[B, C],
        s3: StageLike[C, D],
        s4: StageLike[D, E],
        s5: StageLike[E, F],
        s6: StageLike[F, G],
        s7: StageLike[G, H],
        /,
    ) -> None: ...

    @overload
    def __init__(
        self: Pipeline[A, K],
        s1: StageLike[A, B],
        s2: StageLike[B, C],
        s3: StageLike[C, D],
        s4: StageLike[D, E],
        s5: StageLike[E, F],
        s6: StageLike[F, G],
        s7: StageLike[G, H],
        s8: StageLike[H, K],
        /,
    ) -> None: ...

    def __init__(self, *stages: object) -> None:
        super().__init__(tuple(step for stage in stages for step in steps_of(stage)))

    def over(self, source: Source[A_contra]) -> Flow[B_co]:
        """This pipeline over a stream; nothing runs until the flow is read.

        Args:
            source: anything with `next_batch` or `batches()`, or an iterable, asynchronous or not. Synchronous
                iterables must not block; asynchronous ones that have no batches cost a turn per item.
        """
        return flow_over(source, self.steps)

    def run(self, items: Iterable[A_contra]) -> list[B_co]:
        """Pass a whole stream through, synchronously, and flush at its end.

        Raises:
            TypeError: `map_async` is among the stages.
            Exception: what a stage raised, unchanged.
        """
        run = self.start()
        out = run.feed(items)
        return run.finish(out)

    def start(self) -> Run[A_contra, B_co]:
        """Start a synchronous run that is fed batch by batch; for callbacks that may not wait.

        Raises:
            TypeError: `map_async` is among the stages.
            StageInUseError: an object among the stages serves another run.
        """
        for step in self.steps:
            if step.kind is Kind.MAP_ASYNC:
                raise TypeError(f"{step} waits; a pipeline with it runs over a source: pipeline.over(source)")
        return Run(self.steps)

    @overload
    def __or__(self, stage: Keep[B_co]) -> Pipeline[A_contra, B_co]: ...
    @overload
    def __or__(self, stage: type[FeedStage[B_co, C]]) -> Pipeline[A_contra, C]: ...
    @overload
    def __or__(self, stage: StageLike[B_co, C]) -> Pipeline[A_contra, C]: ...
    def __or__(self, stage: StageLike[Any, Any]) -> Pipeline[A_contra, Any]:
        """This pipeline with one more stage; a bare callable is `map`."""
        return Pipeline(Stage[Any, Any]((*self.steps, *steps_of(stage))))

    def __repr__(self) -> str:
        return f"Pipeline({', '.join(map(str, self.steps))})"


# An item comes out with the type that it went in with, so one `Keep[object]` is a `Pipeline[T, T]` for every `T` at
# once. The declared base says less, which is why its variance needs an ignore; the overloads of `|` say the rest.
class Keep(Pipeline[A_contra, A_contra], Generic[A_contra]):  # type: ignore[type-var]  # pyright: ignore[reportInvalidTypeArguments]  # see above
    """A stage that passes on what it takes, or drops it: `filter` and `tap`.

    After `|` the stream has the type that it had before, however wide the type that the callable takes.
    """

    __slots__ = ()
