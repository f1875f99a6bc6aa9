"""The child of `streamarena profile`: runs a program with a thread beside it that samples the default manager.

python -m streamarena.cli._profiled DESCRIPTOR INTERVAL PICTURE PROGRAM [ARGUMENTS ...]

Lines on the descriptor are JSON: `{"seconds": ..., "values": {...}}` for each snapshot, and `{"report": {"text": ...,
"json": ...}}` at the end. Invariant: the program sees the arguments, the path and the `__main__` that it would have
seen, and its exit code is kept.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import threading
import time
from pathlib import Path
from typing import IO

from streamarena.memory import default_manager


def main() -> None:
    """Run the program that the arguments name."""
    descriptor, interval, picture, *program = sys.argv[1:]
    with open(int(descriptor), "w", encoding="utf-8", buffering=1) as lines:  # noqa: PTH123 - a descriptor
        os.set_inheritable(int(descriptor), False)
        stop = threading.Event()
        sampler = threading.Thread(target=_sample, args=(lines, float(interval), stop), daemon=True)
        sampler.start()
        try:
            _run(program)
        finally:
            stop.set()
            sampler.join()
            _finish(lines, picture)


def _run(program: list[str]) -> None:
    if program[0] == "-m":
        sys.argv = program[1:]
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(program[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = program
        sys.path.insert(0, str(Path(program[0]).resolve().parent))
        runpy.run_path(program[0], run_name="__main__")


def _sample(lines: IO[str], interval: float, stop: threading.Event) -> None:
    start = time.monotonic()
    profiler = default_manager().profiler
    while True:
        now = time.monotonic()
        snapshot = profiler.sample(now)
        try:
            lines.write(json.dumps({"seconds": now - start, "values": snapshot.as_dict()}) + "\n")
        except BrokenPipeError:  # nobody watches any more; the program goes on
            return
        if stop.wait(interval):
            profiler.sample(time.monotonic(), mark="end")
            return


def _finish(lines: IO[str], picture: str) -> None:
    report = default_manager().profiler.report()
    if picture:
        report.to_picture(picture)
    try:
        lines.write(json.dumps({"report": {"text": report.to_text(), "json": report.to_json()}}) + "\n")
    except BrokenPipeError:
        return


if __name__ == "__main__":
    main()
