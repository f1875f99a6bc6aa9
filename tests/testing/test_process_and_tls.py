"""FakeLLM in its own process and over TLS, and the command that starts it."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import subprocess
import sys
import time

import httpx
import pytest

from streamarena.errors import ConfigurationError
from streamarena.testing import FakeLLM, LocalCertificates
from tests.testing.helpers import CHAT, chat, quick, text_of, until


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_spawned_server_answers_counts_and_ends(tls):
    with FakeLLM.spawn(tls=tls, ttft="normal:0.001:0.0001", inter_token_latency=0, tokens=5) as llm:
        pid = llm.pid
        assert llm.url.startswith("https://" if tls else "http://")
        with httpx.Client(base_url=llm.url, verify=llm.client_context() or True, trust_env=False) as client:
            assert len(text_of(client.post(CHAT, json=chat()).content).split()) == 5
        assert llm.statistics(records=1)["records"][0]["outcome"] == "finished"
    assert gone(pid)


async def test_spawning_and_ending_do_not_block_the_loop():
    async with FakeLLM.spawn(tokens=1) as llm:
        pid = llm.pid
        assert await asyncio.to_thread(llm.statistics)
    assert gone(pid)


async def test_a_cancelled_spawn_leaves_no_child():
    process = FakeLLM.spawn()
    task = asyncio.ensure_future(process.__aenter__())
    await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: process.url and not process.pid, 20)


def test_wrong_options_are_told_before_any_process_starts():
    with pytest.raises(ConfigurationError, match="tokenz"):
        FakeLLM.spawn(tokenz=1)


def test_a_child_whose_parent_is_killed_ends():
    code = (
        "import time\nfrom streamarena.testing import FakeLLM\n"
        "llm = FakeLLM.spawn(); llm.start(); print(llm.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.kill()
    limit = time.monotonic() + 10
    while not gone(pid) and time.monotonic() < limit:
        time.sleep(0.05)
    assert gone(pid)


async def test_tls_in_process_is_verified():
    certificates = LocalCertificates()
    async with quick(ssl_context=certificates.server_context()) as llm:
        assert llm.url.startswith("https://")
        async with httpx.AsyncClient(verify=certificates.client_context(), trust_env=False) as client:
            assert text_of((await client.post(llm.url + CHAT, json=chat())).content)
        async with httpx.AsyncClient(verify=ssl.create_default_context(), trust_env=False) as client:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE"):
                await client.post(llm.url + CHAT, json=chat())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_the_command_prints_its_url_first_and_ends_cleanly(number):
    arguments = ["fake-llm", "--port", "0", "--tokens", "3", "--ttft", "1ms", "--fault", "status:503=0", "--slots", "4"]
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "streamarena", *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        url = process.stdout.readline().strip()
        try:
            answer = httpx.post(url + CHAT, json=chat(), trust_env=False)
            assert len(text_of(answer.content).split()) == 3
        finally:
            process.send_signal(number)
        assert process.wait(10) == 0


@pytest.mark.parametrize("arguments", [["--fault", "cut"], ["--ttft", "soon"], ["--fault", "fire=0.1"]], ids=str)
def test_the_command_refuses_what_it_cannot_read(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "streamarena", "fake-llm", "--port", "0", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "Error" in done.stderr


def test_the_help_names_every_fault():
    from streamarena.testing import FAULTS

    done = subprocess.run(
        [sys.executable, "-m", "streamarena", "fake-llm", "--help"], capture_output=True, text=True, check=True
    )
    assert all(name in done.stdout for name in FAULTS)
