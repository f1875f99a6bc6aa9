"""One run of synchronous steps over one stream: the fused loop, and the objects with memory that belong to it.

Invariants:
    * A run has stage objects of its own; an object that the user made serves one run at a time.
    * After `finish`, `close` or an error a run is over, and its objects are free for another.
    * StopIteration and StopAsyncIteration from a user's callable become a RuntimeError (PEP 479): they would otherwise
      end the consumer's loop as if the stream were complete.

Costs a few microseconds to start (the loops are compiled once for each shape), and per batch one call and one list.
Holds nothing of the stream except what stages with memory keep.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from streamarena.errors import StageInUseError, StreamClosedError
from streamarena.pipeline.fusing import Runner, fuse, fuse_flush, no_end
from streamarena.pipeline.steps import FeedStage, Kind, Step, check_fed, named

__all__ = ["Run"]

A_contra = TypeVar("A_contra", contravariant=True)
B_co = TypeVar("B_co", covariant=True)

# Which run uses an object that a user made, by the object's identity: the run keeps the object alive, so an identity
# cannot be used twice while its entry lives.
_users: weakref.WeakValueDictionary[int, Run[Any, Any]] = weakref.WeakValueDictionary()
_users_lock = threading.Lock()


class Run(Generic[A_contra, B_co]):
    r"""A synchronous pipeline at work on one stream: lists in, lists out.

    Made by `Pipeline.start`. Feed it whatever batches the stream brings, then `finish` it once. It is for one thread.

    Example:
        >>> run = Pipeline(str.upper, SplitLines).start()
        >>> run.feed(["ab", "c\nd"])
        ['ABC']
        >>> run.finish()
        ['D']
    """

    __slots__ = ("__weakref__", "_callables", "_claimed", "_flush", "_objects", "_run", "_steps", "over")

    def __init__(self, steps: Sequence[Step]) -> None:
        """Start a run of `steps`, all of them synchronous.

        Raises:
            StageInUseError: an object among the steps serves another run.
        """
        self._steps = steps
        self.over = False
        self._claimed: list[int] = []
        try:
            self._objects = [self._object_of(step) for step in steps]
        except BaseException:
            self._release()
            raise
        self._callables = [
            step.target if made is None else made.feed for step, made in zip(steps, self._objects, strict=True)
        ]
        self._run, self._flush = self._fused(None)

    def feed(self, batch: Iterable[A_contra], out: list[Any] | None = None) -> list[B_co]:
        """Pass a batch through all steps.

        Args:
            batch: the items.
            out: a list to append to; give one to have what came before an error when a step raises.

        Returns:
            `out`, or a new list: what came of the batch, in order.

        Raises:
            StreamClosedError: the run is over.
            TypeError: a step returned an awaitable.
            Exception: whatever a step raises, as it is; the run is over then.
        """
        out = [] if out is None else out
        self._guard(self._run, batch, out)
        return out

    def finish(self, out: list[Any] | None = None) -> list[B_co]:
        """End the stream: flush every stage with memory through the steps after it. The run is over then.

        Takes, returns and raises as `feed` does.
        """
        out = [] if out is None else out
        self._guard(self._flush, (), out)
        self.close()
        return out

    def to(self, callback: Callable[[Any], object]) -> tuple[Callable[[Iterable[A_contra]], None], Callable[[], None]]:
        """The same run with a callback at its end instead of a list: a function that feeds, and one that finishes."""
        run, flush = self._fused(callback)
        nothing: list[Any] = []

        def feed(batch: Iterable[A_contra]) -> None:
            self._guard(run, batch, nothing)

        def finish() -> None:
            self._guard(flush, (), nothing)
            self.close()

        return feed, finish

    def close(self) -> None:
        """Give the objects back without flushing them. Closing twice does nothing."""
        self.over = True
        self._release()

    def _fused(self, callback: Callable[[Any], object] | None) -> tuple[Runner, Runner]:
        if callback is None:
            if not self._steps:
                return _pass_on, _nothing
            return fuse(self._steps, self._callables), fuse_flush(self._steps, self._callables, self._objects)
        steps, callables = [*self._steps, Step(Kind.TAP, callback)], [*self._callables, callback]
        return fuse(steps, callables, keep=False), fuse_flush(steps, callables, self._objects, keep=False)

    def _guard(self, function: Runner, batch: Iterable[Any], out: list[Any]) -> None:
        if self.over:
            raise StreamClosedError("this run of the pipeline is over")
        try:
            function(batch, out)
        except (StopIteration, StopAsyncIteration) as error:
            self.close()
            raise no_end(error) from error
        except BaseException:
            self.close()
            raise

    def _object_of(self, step: Step) -> FeedStage[Any, Any] | None:
        if step.kind is Kind.STATEFUL:
            return check_fed(step.target(), step.target)
        if step.kind is not Kind.OBJECT:
            return None
        with _users_lock:
            if id(step.target) in _users:
                raise StageInUseError(named(step.target))
            _users[id(step.target)] = self
        self._claimed.append(id(step.target))
        return check_fed(step.target, step.target)

    def _release(self) -> None:
        if not self._claimed:
            return
        with _users_lock:
            for identity in self._claimed:
                _users.pop(identity, None)
        self._claimed = []


def _pass_on(batch: Iterable[Any], out: list[Any]) -> None:
    out.extend(batch)


def _nothing(_batch: Iterable[Any], _out: list[Any]) -> None: ...
