"""Servers that nobody here wrote, each installed into an environment of its own under the ignored .cache."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[2] / ".cache" / "peers"


def environment(*requirements):
    """The interpreter of an environment with these requirements; skips the test where they cannot be installed."""
    name = hashlib.sha256(" ".join([*requirements, sys.version]).encode()).hexdigest()[:12]
    folder = CACHE / name
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        venv.create(folder, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *requirements]
        done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
        if done.returncode:
            pytest.skip(f"cannot install {requirements}: {done.stderr.strip()[-200:]}")
        (folder / "made").touch()
    return python


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@pytest.fixture(scope="session")
def katan(tmp_path_factory):
    """llm-katan, a test server for serving stacks, echoing: OpenAI and Anthropic shapes on one port."""
    python = environment("llm-katan>=0.22", "fastapi", "uvicorn", "pydantic", "click")
    port = free_port()
    stats = tmp_path_factory.mktemp("katan") / "stats.json"
    command = [str(python), "-m", "llm_katan.cli", "--model", "echo-model", "--backend", "echo", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--providers", "openai,anthropic", "--max-concurrent", "32"]
    command += ["--stats-file", str(stats), "--log-level", "ERROR"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            deadline = time.monotonic() + 30
            while not answers(f"http://127.0.0.1:{port}/health"):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"llm-katan did not come up: {process.stderr.read(2000)!r}")
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.stderr.close()
