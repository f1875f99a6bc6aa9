"""A worker as a program of its own: `python -m streamarena.load.worker_process INDEX WORKERS`, started by `Processes`.

It reads its plan from standard input, says `ready`, begins when told, and writes each interval as a frame of four bytes
of length and its content. The end of its input ends it: its parent is gone or wants it to go.

Invariant: what it unpickles comes from the process that started it, through a pipe that only these two hold.
Not here: the worker (`worker.py`), the parent's side (`processes.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import pickle
import signal
import sys
from typing import TYPE_CHECKING, BinaryIO

from streamarena._loop import loop_factory
from streamarena.load.interval import encode_interval
from streamarena.load.worker import Worker

if TYPE_CHECKING:
    from streamarena.load.interval import Interval
    from streamarena.load.plan import LoadPlan

__all__ = ["main"]


def main() -> None:
    """Run one worker to its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal interrupts the whole group; what to do, the parent says
    index, workers = int(sys.argv[1]), int(sys.argv[2])
    commands, output = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # a request source that prints must not write between frames
    length = int(commands.readline())
    plan: LoadPlan = pickle.loads(commands.read(length))  # noqa: S301 - from the parent, see above
    output.write(b"ready\n")
    output.flush()
    words = commands.readline().split()
    if words[:1] != [b"begin"]:
        return
    gc.collect()
    gc.freeze()  # what was made at the start stays; the collector need not look at it again
    with asyncio.Runner(loop_factory=loop_factory()) as runner, contextlib.suppress(asyncio.CancelledError):
        runner.run(_run(plan, index, workers, int(words[1]), output))  # cancelled: the parent has closed our input


async def _run(plan: LoadPlan, index: int, workers: int, begin_at: int, output: BinaryIO) -> None:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, output)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)

    def send(frame: bytes) -> None:
        writer.write(len(frame).to_bytes(4) + frame)

    def report(interval: Interval) -> None:
        send(encode_interval(interval))

    worker = Worker(plan, report, index=index, workers=workers)
    task = asyncio.current_task()
    assert task is not None
    os.set_blocking(sys.stdin.fileno(), False)
    loop.add_reader(sys.stdin.fileno(), _command, worker, task, loop)
    try:
        await worker.run(begin_at)
    except Exception as error:  # noqa: BLE001 - the parent raises it
        send(f"failed {type(error).__name__}: {error}".encode())
    finally:
        loop.remove_reader(sys.stdin.fileno())
    await writer.drain()
    writer.close()


def _command(worker: Worker, task: asyncio.Task[None], loop: asyncio.AbstractEventLoop) -> None:
    """Hear what the parent says: `stop`, or nothing more, which means to end."""
    message = os.read(sys.stdin.fileno(), 4096)
    if b"stop" in message:
        worker.stop()
    elif not message:
        loop.remove_reader(sys.stdin.fileno())
        task.cancel()


if __name__ == "__main__":
    main()
