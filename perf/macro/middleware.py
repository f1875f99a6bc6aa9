"""What the middleware adds to a Starlette stream: CPU per chunk, alone and behind uvicorn over real sockets.

python -m perf middleware [--rounds 7] [--save-baseline]

Every contender runs in a process of its own, with the compiled or the pure twins, and measures its own CPU. In the
first table the server is a function that takes every message at once, so that nothing but the application and the
middleware is measured; in the second it is uvicorn, with 32 streams at once. Aim: at most 5 us a chunk with the
compiled parser.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from perf.measure import Contender, Sample, Table, interleave, options, report

ROOT = Path(__file__).parents[2]
CHUNKS = 1000
STREAMS = 32
ALONE = "Starlette alone"
WATCHED = "with the middleware"
SETTINGS = {
    ALONE: None,
    WATCHED: {},
    "with an observer and keep-alive": {"keep_alive": 15.0, "observers": [id]},
    "with redact": {"redact": r"sk-[A-Za-z0-9_-]{16,}"},
}
AIM_SECONDS = 5e-6


# ---------------------------------------------------------------- in the worker


def application(setting: str) -> Any:
    """A Starlette application that streams chat events, behind the middleware or not."""
    from starlette.applications import Starlette
    from starlette.responses import StreamingResponse
    from starlette.routing import Route

    from streamarena.providers import FinishChunk, StartChunk, TextChunk, encoder_for
    from streamarena_adapters.asgi import MiddlewareConfig, StreamArenaMiddleware, redact

    encoder = encoder_for("openai-chat", id="chatcmpl-1", model="m")
    pieces = [encoder.encode([StartChunk("chatcmpl-1", "m", "assistant")])]
    pieces += [encoder.encode([TextChunk(f" word{number}")]) for number in range(CHUNKS - 3)]
    pieces += [encoder.encode([FinishChunk("stop", "stop")]), encoder.finish()]

    async def endpoint(_: Any) -> Any:
        async def stream() -> Any:
            for piece in pieces:
                yield piece
                await asyncio.sleep(0)

        return StreamingResponse(stream(), media_type="text/event-stream")

    app = Starlette(routes=[Route("/chat", endpoint, methods=["POST"])])
    settings = SETTINGS[setting]
    if settings is None:
        return app
    chosen: dict[str, Any] = dict(settings)
    if pattern := chosen.pop("redact", None):
        chosen["stages"] = [redact(pattern)]
    return StreamArenaMiddleware(app, MiddlewareConfig(**chosen))


async def turn_alone(app: Any) -> float:
    """Stream once into nothing; return the CPU seconds."""
    scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "method": "POST", "path": "/chat"}
    scope |= {"raw_path": b"/chat", "root_path": "", "query_string": b"", "headers": [], "scheme": "http"}
    scope |= {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "http_version": "1.1"}
    asked = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if asked.is_set():
            await asyncio.Event().wait()
        asked.set()
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        pass

    start = time.process_time()
    await app(scope, receive, send)
    return time.process_time() - start


async def work(setting: str) -> None:
    """Answer each line on standard input with what one turn took."""
    import uvicorn

    app = application(setting)
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="critical", access_log=False))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has nothing to wait for
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    print(port, flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line.strip() == "alone":
            print(json.dumps(await turn_alone(app)), flush=True)
        else:
            print(json.dumps(time.process_time()), flush=True)
    server.should_exit = True
    await serving


# ---------------------------------------------------------------- in the parent


class Worker:
    """One setting in its process."""

    def __init__(self, setting: str, *, pure: bool) -> None:
        command = [sys.executable, "-m", "perf.macro.middleware", "--worker", setting]
        environment = {**os.environ, "STREAMARENA_PURE": "1"} if pure else dict(os.environ)
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._port = int(self._answer())

    def alone(self) -> Sample:
        """One turn into nothing."""
        return Sample(CHUNKS, float(self._ask("alone")))

    def served(self) -> Sample:
        """Thirty-two streams over sockets; the CPU is the server's."""
        before = float(self._ask("cpu"))
        asyncio.run(read_all(self._port))
        return Sample(STREAMS * CHUNKS, float(self._ask("cpu")) - before)

    def close(self) -> None:
        """End the process and wait for it."""
        self._process.communicate(timeout=20)

    def _ask(self, what: str) -> str:
        assert self._process.stdin
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a worker ended early")
        return line


async def read_all(port: int) -> None:
    """Read every stream to its end; fail unless all of it came."""

    async def read() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /chat HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
        got = await reader.read()
        writer.close()
        if got.count(b"data: ") != CHUNKS:
            raise RuntimeError(f"a stream had {got.count(b'data: ')} events of {CHUNKS}")

    await asyncio.gather(*(read() for _ in range(STREAMS)))


@contextmanager
def workers() -> Iterator[dict[str, Worker]]:
    """Start every setting, and the middleware once more without the compiled twins."""
    with ExitStack() as stack:
        started: dict[str, Worker] = {}
        for setting in SETTINGS:
            started[setting] = Worker(setting, pure=False)
            stack.callback(started[setting].close)
        started[f"{WATCHED}, pure Python"] = Worker(WATCHED, pure=True)
        stack.callback(started[f"{WATCHED}, pure Python"].close)
        yield started


def with_costs(table: Table) -> Table:
    """Say what each contender adds to the application alone."""
    alone = table.row(ALONE).per_unit
    for row in table.rows:
        if row.name != ALONE:
            added = row.per_unit - alone
            aim = ""
            if row.name == WATCHED:
                aim = f"; aim {AIM_SECONDS * 1e6:.0f} us: {'met' if added <= AIM_SECONDS else 'not reached'}"
            table.notes.append(f"{row.name}: {added * 1e6:+.2f} us a chunk{aim}")
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(__doc__ or "", arguments)
    with workers() as started:
        alone = [Contender(name, worker.alone) for name, worker in started.items()]
        served = [Contender(name, partial(Worker.served, worker)) for name, worker in started.items()]
        tables = [
            interleave("CPU of a stream into nothing", alone, baseline=ALONE, unit="chunk", rounds=chosen.rounds),
            interleave(
                f"server CPU behind uvicorn, {STREAMS} streams at once",
                served,
                baseline=ALONE,
                unit="chunk",
                rounds=chosen.rounds,
            ),
        ]
    report("middleware", [with_costs(table) for table in tables], save_baseline=chosen.save_baseline)


if __name__ == "__main__":
    if "--worker" in sys.argv:
        from streamarena._loop import loop_factory

        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(work(sys.argv[sys.argv.index("--worker") + 1]))
    else:
        main()
