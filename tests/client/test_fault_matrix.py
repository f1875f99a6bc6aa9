"""Every fault, plain and over TLS, met by every way to leave: the right error, and everything given back."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

import pytest

from streamarena.client import StreamClient, Timeouts
from streamarena.errors import (
    ConnectionFailedError,
    FirstContentTimeoutError,
    HeaderTooLargeError,
    IdleTimeoutError,
    ProtocolError,
    ProviderError,
    StreamArenaError,
    StreamTruncatedError,
    UnexpectedContentError,
)
from streamarena.testing import LocalCertificates
from tests.support.counting import nothing_left
from tests.support.scripted_server import DONE, SSE_HEAD, ScriptedServer, http_chunk, openai_event, read_request, sends

HELLO = http_chunk(openai_event("hello"))
END = http_chunk(openai_event("", "stop") + DONE) + b"0\r\n\r\n"
SHORT = Timeouts(first_content=0.2, idle=0.2)
LEAVE_AFTER = 0.05


def repeating(*first, every, pause=0.01):
    async def script(reader, writer):
        await read_request(reader)
        for piece in first:
            writer.write(piece)
        while True:
            writer.write(every)
            await writer.drain()
            await asyncio.sleep(pause)

    return script


def refusal(status, *fields):
    body = b'{"error":{"message":"no"}}'
    head = f"HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return sends(head.encode() + b"".join(fields) + b"\r\n" + body)


async def speaks_no_tls(reader, writer):
    writer.write(b"220 ready\r\n")
    await reader.read()


@dataclass(frozen=True)
class Fault:
    """What the server does; the error that a patient reader gets (None: none), the text before it, whether it lasts."""

    script: object
    error: type[Exception] | None
    text: str = ""
    lasts: bool = False  # beyond LEAVE_AFTER, so that leaving decides the outcome


FAULTS = {
    "refused": Fault("refused", ConnectionFailedError),
    "dns": Fault("dns", ConnectionFailedError),
    "tls-failure": Fault("tls-failure", ConnectionFailedError),
    "reset-before-headers": Fault(sends(then="reset"), StreamTruncatedError),
    "reset-after-headers": Fault(sends(SSE_HEAD, then="reset", pause=0.01), StreamTruncatedError),
    "reset-mid-event": Fault(
        sends(SSE_HEAD + HELLO, HELLO[:40], then="reset", pause=0.02), StreamTruncatedError, "hello"
    ),
    "close-mid-event": Fault(sends(SSE_HEAD + HELLO + HELLO[:40], pause=0.01), StreamTruncatedError, "hello"),
    "stall-before-headers": Fault(sends(then="hang"), FirstContentTimeoutError, lasts=True),
    "stall-before-content": Fault(sends(SSE_HEAD, then="hang"), FirstContentTimeoutError, lasts=True),
    "stall-after-content": Fault(sends(SSE_HEAD + HELLO, then="hang"), IdleTimeoutError, "hello", lasts=True),
    "ping-only": Fault(repeating(SSE_HEAD, every=http_chunk(b": ping\n\n")), FirstContentTimeoutError, lasts=True),
    "cut-chunk": Fault(sends(SSE_HEAD + HELLO + b"40\r\ndata: {", pause=0.01), StreamTruncatedError, "hello"),
    "bad-chunk-size": Fault(sends(SSE_HEAD + HELLO + b"nonsense\r\n", then="hang"), ProtocolError, "hello"),
    "huge-header": Fault(sends(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000, then="hang"), HeaderTooLargeError),
    "slowloris": Fault(repeating(b"HTTP/1.1 200 OK\r\nx: ", every=b"y"), FirstContentTimeoutError, lasts=True),
    "wrong-content-type": Fault(
        sends(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 5\r\n\r\nhello"), UnexpectedContentError
    ),
    "429": Fault(refusal(429, b"retry-after: 1\r\n"), ProviderError),
    "500": Fault(refusal(500), ProviderError),
    "529": Fault(refusal(529), ProviderError),
    "close-when-idle": Fault(sends(SSE_HEAD + HELLO + END), None, "hello"),
}


@pytest.fixture(scope="module")
def certificates():
    return LocalCertificates("localhost", "127.0.0.1")


@pytest.fixture(params=["plain", "tls"])
def encrypted(request):
    return request.param == "tls"


class Reader:
    """Reads one stream; keeps the text it saw."""

    def __init__(self, client):
        self._client = client
        self.text = ""

    async def __call__(self, leave=False):
        async with self._client.stream(model="m", messages=[]) as stream:
            async for text in stream.text_deltas():
                self.text += text
                if leave:
                    return


class Scene:
    """A client before a server with a fault."""

    def __init__(self, fault, encrypted, certificates):
        self._fault = fault
        self._certificates = certificates
        self._encrypted = encrypted
        self.timeouts = SHORT

    async def __aenter__(self):
        script, encrypted, context = self._fault.script, self._encrypted, None
        if encrypted:
            context = self._certificates.server_context()
        if script == "tls-failure":  # a certificate of somebody else; on a plain port, no certificate at all
            encrypted, script = True, speaks_no_tls
            context = LocalCertificates("localhost").server_context() if self._encrypted else None
        self._counting = nothing_left()
        await self._counting.__aenter__()
        self._server = ScriptedServer(script if callable(script) else sends(), context)
        await self._server.__aenter__()
        scheme = "https" if encrypted else "http"
        url = f"{scheme}://localhost:{self._server.port}"
        if script == "refused":
            with socket.socket() as closed:
                closed.bind(("127.0.0.1", 0))
                url = f"{scheme}://127.0.0.1:{closed.getsockname()[1]}"
        elif script == "dns":
            url = f"{scheme}://name.invalid"
        trust = self._certificates.client_context() if encrypted else None
        self.client = StreamClient(url, timeouts=self.timeouts, ssl_context=trust)
        return self

    async def __aexit__(self, *exc_info):
        assert self.client.connections_in_use == 0
        await self.client.aclose()
        await self._server.__aexit__(None, None, None)
        await self._counting.__aexit__(None, None, None)


def check(error, fault):
    assert type(error) is fault.error, error


@pytest.fixture
def scene(fault, encrypted, certificates):
    return Scene(fault, encrypted, certificates)


every_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))


@every_fault
async def test_a_patient_reader_gets_the_right_error(scene, fault):
    async with scene:
        for _ in range(2 if fault.error is None else 1):
            read = Reader(scene.client)
            try:
                await read()
            except StreamArenaError as error:
                check(error, fault)
            else:
                assert fault.error is None
            assert read.text == fault.text


@every_fault
async def test_leaving_by_break(scene, fault):
    async with scene:
        read = Reader(scene.client)
        try:
            await read(leave=True)
        except StreamArenaError as error:
            check(error, fault)
            assert not fault.text, "there was something to break at"
        assert read.text == fault.text


@every_fault
@pytest.mark.parametrize("times", [1, 2], ids=["cancel", "double-cancel"])
async def test_leaving_by_cancellation(scene, fault, times):
    scene.timeouts = Timeouts()
    async with scene:
        read = Reader(scene.client)
        task = asyncio.create_task(read())
        await asyncio.sleep(LEAVE_AFTER)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        try:
            await task
        except asyncio.CancelledError:
            pass  # a slow machine may take longer for a fault than the waiting lasts
        except StreamArenaError as error:
            check(error, fault)
            assert not fault.lasts
        else:
            assert fault.error is None
        assert scene.client.connections_in_use == 0


@every_fault
async def test_leaving_by_a_timeout(scene, fault):
    scene.timeouts = Timeouts()
    async with scene:
        read = Reader(scene.client)
        try:
            async with asyncio.timeout(LEAVE_AFTER):
                await read()
        except StreamArenaError as error:
            check(error, fault)
            assert not fault.lasts
        except TimeoutError:
            pass  # as above
        else:
            assert fault.error is None
        assert scene.client.connections_in_use == 0
