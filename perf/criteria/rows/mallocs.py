"""Calls of malloc for one request of 200 events, on the path from the read callback to the chunks.

Counted twice: by the allocation hook (what CPython asks malloc for on this path, as the client attributes it to the
arenas of its requests), and by a counter in front of libc's malloc (LD_PRELOAD; compiled here when there is a
compiler), which sees every library of the process. The path is everything inside `Connection.buffer_updated`: HTTP,
events, decoding, waking the consumer. Where the machine was held up, a read brings many events; more than eight
fragments are joined, which asks malloc. Those reads count like all others, and are told beside the figure.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from perf.criteria.criterion import Criterion, Options, verdict
from perf.criteria.workload import MESSAGES, client_of, one_request, run
from streamarena.client.connection import Connection
from streamarena.memory import AllocationTracker, default_manager

AT_ONCE = 25  # paced streams side by side, so that a read brings one or a few events as in life
WARM_UP = 4 * AT_ONCE  # requests; tables of the loop's timers find their size in them
JOINED_BYTES = 2000  # a read of more brings more than eight fragments of 240 bytes, which the connection joins
TOKENS = 198  # with the first and the last frames, 200 events and more

COUNTER = r"""
#define _GNU_SOURCE
#include <stddef.h>
extern void *__libc_malloc(size_t); extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t); extern void *__libc_memalign(size_t, size_t);
__attribute__((visibility("default"))) long long counted_mallocs = 0;
#define COUNT __atomic_add_fetch(&counted_mallocs, 1, __ATOMIC_RELAXED)
void *malloc(size_t n) { COUNT; return __libc_malloc(n); }
void *calloc(size_t n, size_t m) { COUNT; return __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { COUNT; return __libc_realloc(p, n); }
void *memalign(size_t a, size_t n) { COUNT; return __libc_memalign(a, n); }
int posix_memalign(void **p, size_t a, size_t n) { COUNT; *p = __libc_memalign(a, n); return *p ? 0 : 12; }
void *aligned_alloc(size_t a, size_t n) { COUNT; return __libc_memalign(a, n); }
"""


class _Preloaded:
    """Reads the counter in front of malloc; absent in a process without it."""

    def __init__(self) -> None:
        try:
            self.value = ctypes.c_longlong.in_dll(ctypes.CDLL(None), "counted_mallocs")
        except ValueError:
            self.value = None


async def _count(requests: int, *, tls: bool, keep_result: bool, consume: str, pace: float) -> dict[str, float | None]:
    tracker, preloaded = AllocationTracker(), _Preloaded().value
    tracker.start()
    inside = original_calls = joined = joined_calls = 0
    original = Connection.buffer_updated

    def attributed() -> int:
        return default_manager().stats().arenas.section_mallocs

    def counted(self: Connection, nbytes: int) -> None:
        nonlocal inside, original_calls, joined, joined_calls
        before = preloaded.value if preloaded is not None else 0
        original(self, nbytes)
        if preloaded is not None:
            inside += preloaded.value - before
            if nbytes > JOINED_BYTES:
                joined += preloaded.value - before
                joined_calls += 1
        original_calls += 1

    Connection.buffer_updated = counted
    async with client_of(TOKENS, tls=tls, keep_result=keep_result, inter_token_latency=pace) as client:

        async def request() -> int:
            if consume == "batches":
                return await one_request(client)
            async with client.stream(model="m", messages=MESSAGES) as stream:
                if consume == "result":
                    return (await stream.result()).chunks
                chunks = 0

                def take(_: object) -> None:
                    nonlocal chunks
                    chunks += 1

                await stream.for_each(take)
                return chunks

        async def together(count: int) -> int:
            left, chunks = iter(range(count)), 0

            async def worker() -> None:
                nonlocal chunks
                for _ in left:
                    chunks = await request()

            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE if pace else 1):
                    group.create_task(worker())
            return chunks

        await together(WARM_UP)
        joined = joined_calls = 0
        sections, inside, reads, whole = attributed(), 0, original_calls, tracker.read()[2]
        preload_whole = preloaded.value if preloaded is not None else 0
        chunks = await together(requests)
        return {
            "hook_path": (attributed() - sections) / requests if tracker.source == "hook" else None,
            "preload_path": inside / requests if preloaded is not None else None,
            "hook_whole": ((tracker.read()[2] or 0) - (whole or 0)) / requests if tracker.source == "hook" else None,
            "preload_whole": (preloaded.value - preload_whole) / requests if preloaded is not None else None,
            "preload_joined": joined / requests if preloaded is not None else None,
            "joined_reads": joined_calls / requests,
            "reads": (original_calls - reads) / requests,
            "chunks": chunks,
        }


def count(requests: int, **case: Any) -> dict[str, float | None]:
    return run(lambda: _count(requests, **case))


def _process(
    requests: int, library: Path | None, *, tls: bool, keep_result: bool, consume: str, pure: bool, pace: float = 0.003
) -> dict:
    arguments = f"{requests}, tls={tls}, keep_result={keep_result}, consume={consume!r}, pace={pace}"
    code = f"import json; from perf.criteria.rows import mallocs as m; print(json.dumps(m.count({arguments})))"
    environment = {**os.environ, "STREAMARENA_PURE": "1" if pure else ""}
    if library is not None:
        environment["LD_PRELOAD"] = str(library)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, env=environment, timeout=300
    )
    return json.loads(done.stdout.splitlines()[-1])


def compile_counter(folder: Path) -> Path | None:
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None or sys.platform != "linux":
        return None
    source, library = folder / "counter.c", folder / "counter.so"
    source.write_text(COUNTER, "ascii")
    done = subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", "-o", library, source], check=False, capture_output=True
    )
    return library if done.returncode == 0 else None


CASES = (
    (
        "plain TCP, typed decode, no result",
        True,
        {"tls": False, "keep_result": False, "consume": "for_each", "pure": False},
    ),
    ("  the same, read by batches", False, {"tls": False, "keep_result": False, "consume": "batches", "pure": False}),
    ("  the same, with result()", False, {"tls": False, "keep_result": True, "consume": "result", "pure": False}),
    ("  the same, over TLS", False, {"tls": True, "keep_result": False, "consume": "for_each", "pure": False}),
    (
        "  the same, sent at once",
        False,
        {"tls": False, "keep_result": False, "consume": "for_each", "pure": False, "pace": 0.0},
    ),
    ("  the same, pure Python", False, {"tls": False, "keep_result": False, "consume": "for_each", "pure": True}),
)


def _figure(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}"


def measure(options: Options) -> list[Criterion]:
    rows = []
    requests = options.count(1000, 200)
    with tempfile.TemporaryDirectory() as folder:
        library = compile_counter(Path(folder))
        for name, judged, case in CASES:
            hook = _process(requests, None, **case)
            preload = _process(requests, library, **case) if library else {}
            path = (hook["hook_path"], preload.get("preload_path"))
            whole = (hook["hook_whole"], preload.get("preload_whole"))
            counts = [value for value in path if value is not None]
            rows.append(
                Criterion(
                    f"mallocs a request: {name}" if judged else name,
                    "0.00 on the path" if judged else "-",
                    f"hook {_figure(path[0])}, LD_PRELOAD {_figure(path[1])}; the whole client {_figure(whole[0])} / "
                    f"{_figure(whole[1])}",
                    f"{requests} requests of {hook['chunks']} chunks in {hook['reads']:.0f} reads, after "
                    f"{WARM_UP}; counted inside the read callback; "
                    f"{_figure(preload.get('preload_joined'))} of LD_PRELOAD's in reads of many events",
                    verdict(bool(counts) and max(counts) < 0.005) if judged else "shown",
                    {"hook": hook, "preload": preload},
                )
            )
    return rows
