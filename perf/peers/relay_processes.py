"""The relays that are compared, each started as its users start it, and what their processes take.

nginx comes from the system's package; what cannot be had here is left out by whoever asks. CPU is the kernel's own
count in nanoseconds, of every thread of the process and of its children.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from perf.peers import setup

HERE: Final = Path(__file__).parent
KEY: Final = "sk-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
"""LiteLLM does not start without one; the reader sends it to everybody."""
NGINX, OURS, STARLETTE, LITELLM = "nginx", "streamarena serve", "Starlette + httpx", "LiteLLM proxy"


class Process:
    """A relay that runs: where it listens, and what it takes."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self._pid = pid

    def cpu_seconds(self) -> float:
        """CPU of the process and its children so far."""
        return sum(_cpu(pid) for pid in self._tree())

    def peak_bytes(self) -> int:
        """The most resident memory that the process and its children had, together."""
        return sum(_status(pid, "VmHWM") for pid in self._tree())

    def _tree(self) -> list[int]:
        found, pending = [], [self._pid]
        while pending:
            pid = pending.pop()
            found.append(pid)
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    pending += map(int, (task / "children").read_text().split())
        return found


def _cpu(pid: int) -> float:
    total = 0
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def _status(pid: int, name: str) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return 0


@contextlib.contextmanager
def nginx(upstream: str, folder: Path) -> Iterator[Process]:
    """One worker, as a relay of streams is set up: no buffering, kept connections upstream."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        raise setup.PeersUnavailableError("nginx is not installed (Debian: nginx-light)")
    port = _free_port()
    (folder / "nginx.conf").write_text(
        f"""
        daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
        events {{ worker_connections 4096; }}
        http {{
            access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
            fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
            upstream model {{ server {upstream.removeprefix("http://")}; keepalive 256; }}
            server {{
                listen 127.0.0.1:{port} backlog=1024;
                location / {{
                    proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection "";
                    proxy_buffering off;
                }}
            }}
        }}
        """,
        "utf-8",
    )
    with _running([program, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]) as process:
        _wait_for(port, process)
        yield Process(f"http://127.0.0.1:{port}", process.pid)


@contextlib.contextmanager
def ours(upstream: str, folder: Path) -> Iterator[Process]:
    """One worker with everything on that is on by default: tap, clocks, access log."""
    command = [sys.executable, "-m", "streamarena", "serve", "--upstream", f"{upstream}/v1", "--port", "0"]
    with (folder / "access.log").open("w") as log, _running(command, stdout=log, stderr=subprocess.PIPE) as process:
        assert process.stderr
        yield Process(process.stderr.readline().decode().strip(), process.pid)


@contextlib.contextmanager
def starlette(upstream: str, folder: Path) -> Iterator[Process]:
    """What users write by hand."""
    del folder
    python = setup.python_environment("requirements-relay.txt", ".venv-peers-relay")
    command = [str(python), str(HERE / "relay_starlette.py"), upstream]
    with _running(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield Process(process.stdout.readline().decode().strip(), process.pid)


@contextlib.contextmanager
def litellm(upstream: str, folder: Path) -> Iterator[Process]:
    """LiteLLM's proxy with one model, as its first page sets it up."""
    python = setup.python_environment("requirements-litellm.txt", ".venv-peers-litellm")
    port = _free_port()
    (folder / "litellm.yaml").write_text(
        f"""
model_list:
  - model_name: fake-model
    litellm_params: {{model: openai/fake-model, api_base: "{upstream}/v1", api_key: sk-x}}
litellm_settings: {{telemetry: false}}
""",
        "utf-8",
    )
    command = [str(python.with_name("litellm")), "--config", str(folder / "litellm.yaml"), "--port", str(port)]
    environment = {
        **os.environ,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MASTER_KEY": KEY,
    }
    command += ["--host", "127.0.0.1"]
    with (
        (folder / "litellm.log").open("w") as log,
        _running(command, stdout=log, stderr=log, env=environment) as process,
    ):
        _wait_for(port, process, seconds=120)
        yield Process(f"http://127.0.0.1:{port}", process.pid)


RELAYS: Final = {NGINX: nginx, OURS: ours, STARLETTE: starlette, LITELLM: litellm}


@contextlib.contextmanager
def _running(command: list[str], **options) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def _wait_for(port: int, process: subprocess.Popen, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise setup.PeersUnavailableError(f"{process.args[0]} did not begin to listen")
