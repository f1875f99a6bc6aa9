"""The one worker program: sends its share of the plan's requests and reports what it measured, second by second.

Every engine runs this, in this process, in others, or on other machines. Worker k of n sends the numbers k, k + n, ...
of the plan and keeps every n-th user or arrival, so that all workers together do what one would.

Invariants: nothing is retried; every request that was started ends in exactly one outcome; when `run` returns, by
whatever way, its streams are closed and its last interval has been reported.
Cost: a task for each user, or for each request of an open loop that is in flight.
Not here: stamps (`recorder.py`), numbers (`folding.py`), merging (`totals.py`).
"""

from __future__ import annotations

import asyncio
import random
import resource
import time
from typing import TYPE_CHECKING, Any, Final

from streamarena.client import Limits, StreamClient, StreamResult
from streamarena.errors import StreamArenaError
from streamarena.load.bodies import COMPLETIONS
from streamarena.load.conversations import Dialogue
from streamarena.load.folding import Attempt, Folder
from streamarena.load.interval import Health, Interval
from streamarena.load.loop_watch import LoopWatch
from streamarena.load.outcomes import error_kind
from streamarena.load.recorder import DropStreamError, StreamRecorder
from streamarena.load.requests import Conversation, LoadRequest, as_load_request
from streamarena.load.schedule import ClosedLoop
from streamarena.load.sending import drive

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamarena.client import ChunkStream
    from streamarena.load.plan import LoadPlan

__all__ = ["Worker"]

_REPORT_SECONDS: Final = 1.0
_SPARE_RECORDERS: Final = 1024
_COMPLETIONS_PATH: Final = "/completions"


class Worker:
    """Runs one share of a plan.

    Args:
        plan: what to do. index, workers: which share of how many.
        report: called with each interval, about once a second, and with the last one.
    """

    def __init__(
        self, plan: LoadPlan, report: Callable[[Interval], object], *, index: int = 0, workers: int = 1
    ) -> None:
        self.plan = plan
        self.index = index
        self.workers = workers
        self._report = report
        self._interval = Interval(index)
        self._spare: list[StreamRecorder] = []
        self._finished: list[Attempt] = []
        self._by_recorder: dict[StreamRecorder, Attempt] = {}
        self._stopping = False
        self._drained = False
        self._driving: asyncio.Task[None] | None = None
        self._drain_timer: asyncio.TimerHandle | None = None
        self._cpu = 0
        self.active = 0
        self.begun = 0

    @property
    def stopping(self) -> bool:
        """Whether no further request is started."""
        return self._stopping

    def elapsed(self) -> float:
        """Return the seconds since the start; negative before it."""
        return (time.perf_counter_ns() - self.begun) / 1e9

    def stop(self) -> None:
        """Start no further requests; those in flight may end within the plan's `drain_seconds`."""
        self._stopping = True
        self._drain_after(self.plan.drain_seconds)

    async def run(self, begin_at: int | None = None) -> None:
        """Send this worker's share.

        Args:
            begin_at: the moment (nanoseconds of `time.perf_counter_ns`) that all times count from. Default: now.

        Raises:
            whatever a request source or the plan's pipeline raised.

        Cancellation closes every stream, reports what was measured, and goes on.
        """
        plan = self.plan
        loop = asyncio.get_running_loop()
        self.begun = begin_at if begin_at is not None else time.perf_counter_ns()
        async with self._make_client() as client:
            with LoopWatch(loop, self._fold_finished) as watch:
                self._client, self._watch, self._folder = client, watch, Folder(plan)
                self._interval.start = time.perf_counter_ns()
                self._cpu = time.process_time_ns()
                if plan.total_seconds is not None:
                    self._drain_after(plan.total_seconds + plan.drain_seconds - self.elapsed())
                reporting = loop.create_task(self._report_regularly())
                self._driving = loop.create_task(self._drive())
                done = False
                try:
                    await self._driving
                    done = True
                except asyncio.CancelledError:
                    if not self._drained:
                        raise
                    done = True
                finally:
                    reporting.cancel()
                    if self._drain_timer is not None:
                        self._drain_timer.cancel()
                    self._close_interval(done=done)

    async def _drive(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                await drive(self, group)
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0]  # noqa: B904 - the first failure ends the run, and is raised as it was

    def _drain_after(self, seconds: float) -> None:
        """Cut off what is still open after `seconds`; an earlier time that was set before stays."""
        loop = asyncio.get_running_loop()
        when = loop.time() + max(seconds, 0.0)
        if self._drain_timer is not None:
            if self._drain_timer.when() <= when:
                return
            self._drain_timer.cancel()
        self._drain_timer = loop.call_at(when, self._cut_off)

    def _cut_off(self) -> None:
        if self._driving is not None and not self._driving.done():
            self._drained = True
            self._driving.cancel()

    def _make_client(self) -> StreamClient:
        plan = self.plan
        in_flight = plan.schedule.concurrency if isinstance(plan.schedule, ClosedLoop) else plan.max_in_flight
        limits = Limits(max_connections=in_flight + 1, max_idle_connections=in_flight + 1)
        api = "openai-chat" if plan.api == COMPLETIONS else plan.api
        return StreamClient(
            plan.url,
            api=api,
            api_key=plan.api_key,
            headers=plan.headers,
            timeouts=plan.timeouts,
            limits=limits,
            resend_stale=False,  # nothing is sent twice: a load test counts what was asked
        )

    # ------------------------------------------------------------ one request

    async def send(self, number: int, scheduled: int | None = None) -> None:
        """Send the request of this number, or have its conversation; returns when it has ended."""
        self._watch.touch()
        made = as_load_request(self.plan.requests(number))
        if isinstance(made, LoadRequest):
            await self._send_one(made, number, 0, scheduled, keep_result=False)
            return
        await self._converse(made, number, scheduled)

    async def _converse(self, conversation: Conversation, number: int, scheduled: int | None) -> None:
        dialogue = Dialogue(conversation, self.plan.api)
        for turn in range(len(conversation.turns)):
            if turn:
                scheduled = None  # from the second turn on the user, not the schedule, decides when
                await asyncio.sleep(conversation.think_before(turn))
            if turn and self._stopping:
                return
            self._watch.touch()
            result = await self._send_one(dialogue.ask(turn), number, turn, scheduled, keep_result=True)
            if result is None:
                return
            dialogue.answered(result.text)

    async def _send_one(
        self, request: LoadRequest, number: int, turn: int, scheduled: int | None, *, keep_result: bool
    ) -> StreamResult | None:
        """Send one request and see it to its end; return its result if it was kept and is whole."""
        recorder = self._spare.pop() if self._spare else self._new_recorder()
        attempt = Attempt(number, turn, recorder, scheduled, time.perf_counter_ns())
        attempt.label, attempt.input_tokens = request.label, request.input_tokens
        attempt.measured = self.plan.measures(number, (attempt.started - self.begun) / 1e9)
        self._by_recorder[recorder] = attempt
        self._enter(attempt)
        result = None
        try:
            async with self._client.stream(
                _with_model(request.body, self.plan.model),
                path=request.path or self.plan.path or (_COMPLETIONS_PATH if self.plan.api == COMPLETIONS else None),
                headers=self._headers(request, number, turn),
                keep_result=keep_result,
            ) as stream:
                attempt.sent = stream.timings.sent
                await self._receive(stream, attempt)
                if keep_result:
                    result = await stream.result()
        except DropStreamError:
            attempt.outcome = "dropped"
        except StreamArenaError as error:
            if attempt.outcome != "dropped":
                attempt.outcome, attempt.kind = "failed", error_kind(error)
                if attempt.measured:
                    self._interval.add_error(attempt.kind, str(error))
        except asyncio.CancelledError:
            attempt.outcome = "unfinished"
            raise
        finally:
            self._leave(attempt)
        return result if attempt.outcome == "completed" else None

    async def _receive(self, stream: ChunkStream, attempt: Attempt) -> None:
        recorder, plan = attempt.recorder, self.plan
        take: Callable[[list[Any]], object] = recorder.watch_stream(stream)
        timer = None
        if plan.drop is not None and self._is_dropped(attempt):
            recorder.drop_after = plan.drop.after_chunks
            if plan.drop.after_seconds is not None:
                timer = asyncio.get_running_loop().call_later(plan.drop.after_seconds, self._drop, stream, attempt)
        if plan.pipeline is not None:
            run = plan.pipeline.start()

            def take_and_run(batch: list[Any]) -> None:
                recorder.take(batch)
                run.feed(batch)

            take = take_and_run
        try:
            await stream.for_each_batch(take)
        finally:
            if timer is not None:
                timer.cancel()

    def _is_dropped(self, attempt: Attempt) -> bool:
        assert self.plan.drop is not None
        chance = random.Random(f"{self.plan.seed}/drop/{attempt.number}/{attempt.turn}")  # noqa: S311 - repeatable, not secret
        return chance.random() < self.plan.drop.share

    @staticmethod
    def _drop(stream: ChunkStream, attempt: Attempt) -> None:
        if not stream.ended:
            attempt.outcome = "dropped"
            stream.close()

    def _headers(self, request: LoadRequest, number: int, turn: int) -> dict[str, str]:
        headers = dict(request.headers or {})
        if self.plan.ids is not None:
            headers["x-request-id"] = f"{self.plan.ids}-{number}" + (f"-{turn}" if turn else "")
        return headers

    # ------------------------------------------------------------ intervals

    def note_cap(self) -> None:
        """Count an arrival that waits because the schedule allows no more streams at once."""
        self._interval.counters["capped"] += 1

    def _enter(self, attempt: Attempt) -> None:
        self.active += 1
        interval = self._interval
        interval.counters["started"] += 1
        interval.peak_active = max(interval.peak_active, self.active)
        interval.starts.append(attempt.started)

    def _leave(self, attempt: Attempt) -> None:
        self._watch.touch()
        attempt.ended = time.perf_counter_ns()
        self.active -= 1
        self._interval.ends.append(attempt.ended)
        self._finished.append(attempt)

    def _new_recorder(self) -> StreamRecorder:
        return StreamRecorder(self._watch, self._recorder_full, count_reads=self.plan.stamps)

    def _recorder_full(self, recorder: StreamRecorder) -> None:
        self._folder.fold_early(self._interval, self._by_recorder[recorder])

    def _fold_finished(self) -> None:
        """Fold what has ended since the last window; between reads, so that it delays none of them for long."""
        finished, self._finished = self._finished, []
        for attempt in finished:
            self._folder.fold(self._interval, attempt)
            recorder = attempt.recorder
            del self._by_recorder[recorder]
            recorder.reset()
            if len(self._spare) < _SPARE_RECORDERS:
                self._spare.append(recorder)

    async def _report_regularly(self) -> None:
        while True:
            await asyncio.sleep(_REPORT_SECONDS)
            self._close_interval()

    def _close_interval(self, *, done: bool = False) -> None:
        self._watch.touch()
        self._fold_finished()
        self._folder.settle(self._interval)
        interval, watch, cpu = self._interval, self._watch, time.process_time_ns()
        interval.end = time.perf_counter_ns()
        interval.active = self.active
        interval.done = done
        lags, pauses, busy, run_wait = watch.take_health()
        interval.histogram("loop_lag").merge(lags)
        interval.histogram("gc_pause").merge(pauses)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        interval.health = Health(interval.end - interval.start, cpu - self._cpu, busy, run_wait, memory)
        self._cpu = cpu
        self._interval = Interval(self.index, interval.end)
        self._interval.peak_active = self.active
        self._report(interval)


def _with_model(body: Any, model: str) -> Any:  # noqa: ANN401 - JSON values
    if isinstance(body, bytes) or not model or "model" in body:
        return body
    return {"model": model, **body}
