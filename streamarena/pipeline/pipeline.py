"""`Pipeline`: stages in a row, to be put over a source or run on a list.

Invariants:
    * A pipeline is immutable; `|` makes a new one. It may stand over any number of streams at once.
    * It means what a list comprehension over the whole stream would mean, however the stream is cut into batches.

Costs nothing until it runs. Consecutive synchronous stages become one loop (`fusing`); each `map_async` is a boundary
(`boundary`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from streamarena.pipeline.flow import Flow, flow_over
from streamarena.pipeline.run import Run
from streamarena.pipeline.steps import Kind, Stage, StageLike, Step, steps_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamarena.pipeline.sources import Source

__all__ = ["Pipeline", "pipeline_of"]

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
            Typed for up to eight; write `|` or nest pipelines for more.

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

    def __or__(self, stage: StageLike[B_co, C]) -> Pipeline[A_contra, C]:
        """This pipeline with one more stage; a bare callable is `map`."""
        return pipeline_of(*self.steps, *steps_of(stage))

    def __repr__(self) -> str:
        return f"Pipeline({', '.join(map(str, self.steps))})"


def pipeline_of(*steps: Step) -> Pipeline[Any, Any]:
    """A pipeline of steps that are already made."""
    return Pipeline(Stage[Any, Any](steps))
