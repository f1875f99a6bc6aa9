"""Of a name with several addresses the first that answers is used, and no attempt leaves a socket behind."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

import pytest

from streamarena.client import StreamClient, Timeouts
from streamarena.client.addresses import addresses_of
from streamarena.errors import ConfigurationError, ConnectionFailedError
from streamarena.testing import LocalCertificates
from tests.support.counting import nothing_left
from tests.support.scripted_server import DONE, ScriptedServer, answers, openai_event

BODY = [openai_event("hello"), openai_event("", "stop"), DONE]


def resolves_to(*hosts):
    """Let every name have these addresses, in this order."""

    async def look_up(host, port, **options):
        found = []
        for each in hosts if host == "many.test" else [host]:  # uvloop also asks for addresses
            family = socket.AF_INET6 if ":" in each else socket.AF_INET
            target = (each, port, 0, 0) if ":" in each else (each, port)
            found.append((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", target))
        return found

    asyncio.get_running_loop().getaddrinfo = look_up


@contextlib.contextmanager
def silent(host, port):
    """A host on which a connection is neither accepted nor refused: the queue of its listener is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((host, port), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield


async def text_of(client):
    async with client.stream(model="m", messages=[]) as stream:
        return (await stream.result()).text


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
async def test_a_silent_address_holds_nobody_up(encrypted):
    certificates = LocalCertificates("many.test")
    server_context = certificates.server_context() if encrypted else None
    async with nothing_left(), ScriptedServer(answers(*BODY), server_context) as server:
        resolves_to("127.0.0.2", "127.0.0.1")
        url = f"{'https' if encrypted else 'http'}://many.test:{server.port}"
        with silent("127.0.0.2", server.port):
            context = certificates.client_context()
            async with StreamClient(url, ssl_context=context, happy_eyeballs_delay=0.05) as client:
                start = time.monotonic()
                assert await text_of(client) == "hello"
                assert 0.04 < time.monotonic() - start < 2


async def test_a_refused_address_is_followed_by_the_next_at_once():
    async with nothing_left(), ScriptedServer(answers(*BODY)) as server:
        resolves_to("127.0.0.3", "127.0.0.4", "127.0.0.1")
        async with StreamClient(f"http://many.test:{server.port}", happy_eyeballs_delay=30) as client:
            async with asyncio.timeout(5):
                assert await text_of(client) == "hello"


async def test_when_no_address_answers_the_error_says_so():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    resolves_to("127.0.0.3", "127.0.0.4")
    async with nothing_left(), StreamClient(f"http://many.test:{port}") as client:
        with pytest.raises(ConnectionFailedError, match=r"many\.test.*127\.0\.0\.3.*refused.*127\.0\.0\.4"):
            await text_of(client)


async def test_families_take_turns():
    resolves_to("::1", "::2", "::3", "127.0.0.1", "127.0.0.2")
    found = [address[4][0] for address in await addresses_of("many.test", 80)]
    assert found == ["::1", "127.0.0.1", "::2", "127.0.0.2", "::3"]


async def test_attempts_that_are_cancelled_at_any_moment_leave_no_socket():
    async with nothing_left(), ScriptedServer(answers(*BODY)) as server:
        resolves_to("127.0.0.3", "127.0.0.1", "127.0.0.4")
        url = f"http://many.test:{server.port}"
        async with StreamClient(url, timeouts=Timeouts(connect=5), happy_eyeballs_delay=0.001) as client:
            for turn in range(300):
                task = asyncio.create_task(text_of(client))
                for _ in range(turn % 12):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])


@pytest.mark.parametrize("delay", [0, -1, float("nan")])
def test_the_delay_must_be_positive(delay):
    with pytest.raises(ConfigurationError, match="happy_eyeballs_delay"):
        StreamClient("http://localhost", happy_eyeballs_delay=delay)
