"""Compressed bodies: read as they come, whatever their pieces, and never more than the limit."""

from __future__ import annotations

import gzip
import sys
import zlib

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.client import Limits, StreamClient
from streamarena.client.compression import PIECE, decompressor_for
from streamarena.errors import BodyTooLargeError, MissingExtraError, ProtocolError, ProviderError, StreamTruncatedError
from tests.support.counting import nothing_left
from tests.support.scripted_server import DONE, ScriptedServer, http_chunk, openai_event, sends

TEXT = b"".join(openai_event(f"word{number} ") for number in range(50)) + openai_event("", "stop") + DONE


def raw_deflate(data):
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


CODINGS = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw-deflate": ("deflate", raw_deflate),
    "brotli": ("br", brotli.compress),
    "two-members": ("gzip", lambda data: gzip.compress(data[:100]) + gzip.compress(data[100:])),
    "identity": ("identity", bytes),
}


@pytest.fixture(params=CODINGS.values(), ids=list(CODINGS))
def coding(request):
    return request.param


def head(name, status="200 OK", content_type="text/event-stream"):
    lines = [f"HTTP/1.1 {status}", f"content-type: {content_type}", f"content-encoding: {name}"]
    return "\r\n".join([*lines, "transfer-encoding: chunked", "", ""]).encode()


@pytest.mark.parametrize("size", [7, 100_000])
async def test_a_compressed_stream(coding, size):
    name, compress = coding
    data = compress(TEXT)
    pieces = [http_chunk(data[start : start + size]) for start in range(0, len(data), size)]
    async with nothing_left(), ScriptedServer(sends(head(name), b"".join(pieces) + b"0\r\n\r\n")) as server:
        async with StreamClient(server.url) as client, client.stream(model="m", messages=[]) as stream:
            assert (await stream.result()).text == "".join(f"word{number} " for number in range(50))


@settings(max_examples=60, deadline=None)
@given(
    data=st.binary(max_size=3000),
    repeat=st.integers(1, 50),
    size=st.integers(1, 4000),
    which=st.sampled_from([*CODINGS]),
)
def test_what_was_compressed_comes_back(data, repeat, size, which):
    name, compress = CODINGS[which]
    data *= repeat
    if name == "identity" or (which == "two-members" and not data):
        return
    body = compress(data)
    decompressor = decompressor_for(name, 10**7)
    found = b"".join(
        piece for start in range(0, len(body), size) for piece in decompressor.feed(body[start : start + size])
    )
    decompressor.finish()
    assert found == data


@pytest.mark.parametrize("which", ["gzip", "deflate", "raw-deflate", "brotli"])
def test_a_bomb_is_stopped_at_the_limit(which):
    name, compress = CODINGS[which]
    bomb = compress(bytes(50_000_000))
    decompressor = decompressor_for(name, 1_000_000)
    seen = 0
    with pytest.raises(BodyTooLargeError, match="expansion_bytes"):
        for piece in decompressor.feed(bomb):
            assert len(piece) <= 2 * PIECE
            seen += len(piece)
    assert seen <= 1_000_000


@pytest.mark.parametrize("which", ["gzip", "deflate", "brotli"])
async def test_a_body_that_is_cut_or_broken(which):
    name, compress = CODINGS[which]
    data = compress(TEXT)
    cases = [(data[:-9], StreamTruncatedError), (b"\xff" * 50, ProtocolError)]
    for body, error in cases:
        async with nothing_left(), ScriptedServer(sends(head(name), http_chunk(body) + b"0\r\n\r\n")) as server:
            async with StreamClient(server.url) as client:
                with pytest.raises(error):
                    async with client.stream(model="m", messages=[]) as stream:
                        await stream.result()


async def test_the_limit_of_a_stream_counts_what_it_becomes():
    body = gzip.compress(b"".join(openai_event("x" * 1000) for _ in range(100)))
    async with ScriptedServer(sends(head("gzip"), http_chunk(body), then="hang")) as server:
        async with StreamClient(server.url, limits=Limits(stream_bytes=20_000)) as client:
            with pytest.raises(BodyTooLargeError, match="stream_bytes"):
                async with client.stream(model="m", messages=[]) as stream:
                    await stream.result()


async def test_a_compressed_error_is_read():
    body = gzip.compress(b'{"error":{"message":"slow down"}}')
    answer = head("gzip", "429 x", "application/json") + http_chunk(body) + b"0\r\n\r\n"
    async with ScriptedServer(sends(answer)) as server, StreamClient(server.url) as client:
        with pytest.raises(ProviderError, match="slow down"):
            async with client.stream(model="m", messages=[]):
                pass


@pytest.mark.parametrize("name", ["zstd", "gzip, br", "x" * 100])
async def test_an_unknown_coding_is_named(name):
    async with nothing_left(), ScriptedServer(sends(head(name), then="hang")) as server:
        async with StreamClient(server.url) as client:
            with pytest.raises(ProtocolError, match="content coding"):
                async with client.stream(model="m", messages=[]):
                    pass


def test_brotli_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "brotli", None)
    with pytest.raises(MissingExtraError, match=r"streamarena\[brotli\]"):
        decompressor_for("br", 1)
