"""The pytest plug-in: found by its entry point, light, quiet, and its fixtures do what they promise."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import textwrap

import httpx
import pytest

from streamarena.errors import CassetteError, CassetteMismatchError
from streamarena.memory import BufferPool, current_arena, default_manager, request_scope
from streamarena.testing import LeakCheck
from streamarena.testing.plugin import CassetteFixture
from tests.testing.helpers import CHAT, chat, text_of

INI = """[pytest]
filterwarnings = error
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
addopts = --strict-markers --strict-config
"""


def run(tmp_path, source, *arguments, ini=""):
    """Run pytest on one file in a process of its own, warnings as errors."""
    (tmp_path / "test_it.py").write_text(textwrap.dedent(source), "utf-8")
    (tmp_path / "pytest.ini").write_text(INI + ini, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""},
    )
    return done.returncode, done.stdout + done.stderr


def test_it_can_be_turned_off(tmp_path):
    code, said = run(tmp_path, "def test_x(fake_llm): pass", "-p", "no:streamarena")
    assert code == 1
    assert "fixture 'fake_llm' not found" in said


def test_fake_llm_serves_a_synchronous_test(fake_llm):
    answer = httpx.post(fake_llm.url + CHAT, json=chat(), trust_env=False)
    assert len(text_of(answer.content).split()) == 16
    assert fake_llm.statistics.requests == 1


@pytest.mark.fake_llm(tokens=3, fault="status:429@0")
async def test_fake_llm_serves_an_asynchronous_test_with_options_by_mark(fake_llm):
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        assert (await client.post(fake_llm.url + CHAT, json=chat())).status_code == 429


@pytest.mark.fake_llm(tokenz=3)
def test_a_wrong_option_fails_the_test(request):
    with pytest.raises(Exception, match="tokenz"):
        request.getfixturevalue("fake_llm")


def test_the_arena_is_the_current_one(arena):
    assert current_arena() is arena
    assert bytes(arena.alloc_bytes(b"abc").view) == b"abc"


async def test_the_arena_is_the_current_one_in_the_loop_too(arena):
    assert current_arena() is arena


LEAKS = {
    "task": ("kept.append(asyncio.create_task(asyncio.sleep(60)))", "task "),
    "socket": ("kept.append(socket.create_server(('127.0.0.1', 0)))", "('127.0.0.1', "),
    "file": ("kept.append(open(__file__))", "test_it.py"),
    "lease": ("kept.append(default_manager().buffers.acquire(100))", "1 pooled buffers"),
    "scope": ("kept.append(request_scope().__enter__())", "1 request scopes"),
}
SUITE = """
import sys
ROOMS = {"streamarena.testing.fake_llm", "streamarena.memory", "streamarena.client", "streamarena.sse"}
LOADED = (ROOMS | {"httptools", "httpx", "msgspec", "orjson", "uvloop"}) & set(sys.modules)

import asyncio, socket
from streamarena.errors import CassetteError, CassetteMismatchError
from streamarena.memory import default_manager, request_scope
from streamarena.testing import LeakCheck
from streamarena.testing.plugin import CassetteFixture
LeakCheck.__init__.__defaults__ = (0.1,)
kept = []

def test_loads_nothing(pytestconfig):
    assert pytestconfig.pluginmanager.hasplugin("streamarena")
    assert not LOADED

def test_escape(arena):
    kept.append(arena.alloc_bytes(b"x" * 100).view)

async def test_own_error_first(no_leaks):
    kept.append(asyncio.create_task(asyncio.sleep(60)))
    raise KeyError("mine")
"""


def failures(said):
    """What pytest said of each failed test, by name."""
    parts = re.split(r"^_+ (\w+) _+$", said, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.slow
def test_a_suite_with_every_kind_of_leak(tmp_path):
    leaking = "".join(
        f"async def test_async_{kind}(no_leaks):\n    {statement}\n" for kind, (statement, _) in LEAKS.items()
    )
    for kind in sorted({*LEAKS} - {"task"}):
        leaking += f"def test_sync_{kind}(no_leaks):\n    {LEAKS[kind][0]}\n"
    code, said = run(tmp_path, SUITE + leaking, "-p", "no:unraisableexception")
    failed = failures(said)
    assert code == 1
    assert "warning" not in said.lower()
    assert "test_loads_nothing" not in failed, said
    for name, told in failed.items():
        if name.startswith(("test_async_", "test_sync_")):
            assert "left behind" in told
            assert LEAKS[name.rsplit("_", 1)[1]][1] in told
    assert len(failed) == 5 + 4 + 1, said
    assert "1 views outlived the scope" in said
    assert "KeyError: 'mine'" in failed["test_own_error_first"]
    assert "left behind" not in failed["test_own_error_first"]


async def test_no_leaks_lets_what_is_closing_go(no_leaks):
    task = asyncio.ensure_future(asyncio.sleep(0.05))
    assert not task.done()
    one, other = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=one)
    writer.close()
    asyncio.get_running_loop().call_later(0.05, other.close)


def test_no_leaks_allows_fixtures_that_came_before(fake_llm, no_leaks):
    assert httpx.get(fake_llm.url + "/health", trust_env=False).status_code == 200


def test_a_check_sees_pooled_buffers_come_and_go():
    check = LeakCheck(grace=0)
    buffer = default_manager().buffers.acquire(100)
    with request_scope():
        assert len(check.leaks()) == 2
    buffer.release()
    assert check.leaks() == []
    BufferPool().acquire(10).release()
    assert check.leaks() == []


def ask(base):
    body = {"model": "m", "stream": True}
    return httpx.post(base + CHAT, json=body, trust_env=False, verify=False).status_code


@pytest.fixture
def used(tmp_path):
    """Makes cassette fixtures by mode, as the plug-in does."""
    return lambda mode, **options: CassetteFixture(tmp_path / "it.jsonl", mode, options)


def test_a_cassette_is_recorded_once_and_replayed_without_its_server(used, fake_llm):
    with pytest.raises(CassetteError, match="cannot be read"):
        used("replay")(fake_llm.url)
    for mode, requests in (("auto", 1), ("auto", 1), ("record", 2), ("replay", 2), ("verify", 2)):
        player = used(mode)
        assert ask(player(fake_llm.url)) == 200
        player.close()
        assert fake_llm.statistics.requests == requests


def test_verify_fails_a_test_that_asks_otherwise(used, fake_llm):
    player = used("record")
    ask(player(fake_llm.url))
    player.close()
    player = used("verify", delay=0.5)
    base = player(fake_llm.url)
    assert [ask(base), ask(base)] == [200, 404]
    with pytest.raises(CassetteMismatchError, match="more often than recorded"):
        player.close()
    with pytest.raises(RuntimeError, match="one upstream"):
        player = used("replay")
        try:
            player(fake_llm.url)
            player(fake_llm.url)
        finally:
            player.close()


def test_the_fixture_names_its_file_after_the_test(cassette, request):
    assert cassette.mode == "replay"
    assert cassette.path == request.path.parent / "cassettes" / "test_plugin" / f"{request.node.name}.jsonl"


@pytest.mark.slow
def test_the_mode_comes_from_the_command_line_or_the_settings(tmp_path):
    source = "def test_it(cassette):\n    print(cassette.mode)\n"
    code, said = run(tmp_path, source, "-s", ini="cassettes = sometimes\n")
    assert code == 1
    assert "must be one of" in said
    code, said = run(tmp_path, source, "-s", "--cassettes=verify", ini="cassettes = sometimes\n")
    assert code == 0
    assert "verify" in said
