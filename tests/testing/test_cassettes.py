"""Recorded exchanges come back byte for byte, in time, without secrets, and only to the requests that were recorded."""

from __future__ import annotations

import asyncio
import itertools
import json
import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena import StreamClient
from streamarena.errors import CassetteError, CassetteMismatchError, ConfigurationError
from streamarena.memory import MmapCache
from streamarena.testing import Cassette, CassetteRecorder, CassetteServer, CassetteWriter, Exchange, Piece
from streamarena.testing.redaction import Redactor
from tests.testing.helpers import CHAT, MESSAGES, chat, post, quick, raw, text_of, until

KEY = "sk-secret0123456789abcdef"


def exchange(body=b"data: 1\n\n", **changes):
    """A plain exchange, with some fields changed."""
    values = {
        "method": "POST",
        "target": CHAT,
        "request_headers": [("accept", "*/*")],
        "request_body": b'{"model":"m"}',
        "status": 200,
        "response_headers": [("content-type", "text/event-stream")],
        "head_after": 0.01,
        "pieces": [Piece(0.02, body)],
        "ended": 0.03,
    }
    return Exchange(**{**values, **changes})


def write(path, *exchanges, **options):
    with CassetteWriter(path, **options) as writer:
        for each in exchanges:
            writer.add(each)
    return path


async def record(llm, path, *requests, **options):
    """Record requests against a running server; returns what the client got."""
    async with CassetteRecorder(llm.url, path, **options) as recorder:
        return [await post(recorder, where, body, authorization=f"Bearer {KEY}") for where, body in requests]


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_what_was_recorded_is_replayed_to_the_byte(tmp_path, path):
    async with quick(tokens=20) as llm:
        (live,) = await record(llm, tmp_path / "a.jsonl", (path, chat()))
    async with CassetteServer(tmp_path / "a.jsonl") as server:
        replayed = await post(server, path, chat())
    assert replayed.content == live.content
    assert replayed.status_code == live.status_code
    assert replayed.headers["content-type"] == live.headers["content-type"]


async def test_a_recording_keeps_pieces_and_their_times(tmp_path):
    async with quick(ttft=0.1, inter_token_latency=0.03, tokens=4) as llm:
        await record(llm, tmp_path / "a.jsonl", (CHAT, chat()))
    with Cassette(tmp_path / "a.jsonl") as cassette:
        (kept,) = cassette
    times = [piece.after for piece in kept.pieces]
    assert times == sorted(times)
    assert kept.ended >= 0.1 + 3 * 0.03
    assert len(kept.pieces) >= 4


@pytest.mark.parametrize(("delay", "least"), [(0.0, 0.0), (0.5, 0.3), (1.0, 0.6)])
async def test_replay_keeps_recorded_times_scaled(tmp_path, delay, least):
    pieces = [Piece(0.2, b"a"), Piece(0.4, b"b"), Piece(0.6, b"c")]
    write(tmp_path / "a.jsonl", exchange(head_after=0.1, pieces=pieces, ended=0.6))
    async with CassetteServer(tmp_path / "a.jsonl", delay=delay) as server:
        answer = await post(server, CHAT, {"model": "m"})
        (kept,) = server.statistics.records
    assert answer.content == b"abc"
    waited = [(stamp - kept.received) / 1e9 for stamp in kept.stamps]
    assert waited[-1] >= least
    assert all(late >= early for early, late in itertools.pairwise(waited))
    if delay:
        assert waited[0] >= 0.2 * delay
    else:
        assert waited[-1] < 0.6


async def test_the_client_streams_from_a_cassette(tmp_path):
    async with quick(tokens=12) as llm:
        await record(llm, tmp_path / "a.jsonl", (CHAT, {**chat(), "stream_options": {"include_usage": True}}))
    with Cassette(tmp_path / "a.jsonl") as cassette:
        body = cassette[0].body
    async with CassetteServer(tmp_path / "a.jsonl", match_body=False) as server:
        # Recorded at /v1/chat/completions: the client is given the same base URL as any SDK.
        async with StreamClient(server.url + "/v1") as client, client.stream(**chat()) as stream:
            text = "".join([chunk.text async for chunk in stream if chunk.kind == "text"])
            result = await stream.result()
    assert text == text_of(body)
    assert result.text == text


async def test_a_cut_stream_is_recorded_and_replayed_as_cut(tmp_path):
    async with quick() as llm, CassetteRecorder(llm.url, tmp_path / "a.jsonl") as recorder:
        live = await raw(recorder, CHAT, chat("m,fault=cut@2"))
    with Cassette(tmp_path / "a.jsonl") as cassette:
        assert not cassette[0].complete
        body = cassette[0].body
    async with CassetteServer(tmp_path / "a.jsonl") as server:
        replayed = await raw(server, CHAT, chat("m,fault=cut@2"))
    assert b"0\r\n\r\n" not in live + replayed
    assert body.rsplit(b"data: ", 1)[1] in replayed


async def test_error_statuses_are_recorded_too(tmp_path):
    async with quick() as llm:
        await record(llm, tmp_path / "a.jsonl", (CHAT, chat("m,fault=status:429")))
    async with CassetteServer(tmp_path / "a.jsonl") as server:
        answer = await post(server, CHAT, chat("m,fault=status:429"))
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"


async def test_no_secret_reaches_the_file_even_cut_in_two(tmp_path):
    async with quick(text=f"your key is {KEY[:12]} and {KEY}, keep it") as llm:
        body = {**chat(), "api_key": "another-secret", "user": "known only to us"}
        (live,) = await record(llm, tmp_path / "a.jsonl", (CHAT + "?key=querysecret1", body), secrets=("only to us",))
    assert KEY in text_of(live.content)
    kept = (tmp_path / "a.jsonl").read_text("utf-8")
    for secret in (KEY, "another-secret", "querysecret1", "only to us"):
        assert secret not in kept
    async with CassetteServer(tmp_path / "a.jsonl", secrets=("only to us",)) as server:
        again = await post(server, CHAT + "?key=querysecret1", body, authorization=f"Bearer {KEY}")
        assert again.status_code == 200, again.text


def test_a_secret_across_pieces_is_found():
    redactor = Redactor(KEY)
    whole = f"x{KEY}y".encode()
    pieces = redactor.pieces([whole[:9], whole[9:15], whole[15:]])
    assert b"".join(pieces) == b"x" + b"*" * len(KEY) + b"y"
    assert [len(piece) for piece in pieces] == [9, 6, len(whole) - 15]


@pytest.mark.parametrize(
    "text",
    [
        "sk-ant-api03-abcdefghijklmnop",
        "AIzaSyA1234567890abcdefghijklmnopqrstu",
        "gsk_abcdefghijklmnopqrst",
        "Bearer abcdefgh.ijkl-mnop",
        "eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeK",
        '{"password": "p\\"quoted"}',
        '{"client_secret":"shh"}',
    ],
)
def test_known_forms_of_secrets_are_starred(text):
    cleaned = Redactor().data(text.encode())
    assert len(cleaned) == len(text)
    assert b"*" in cleaned
    if text.startswith("{"):
        json.loads(cleaned)


@given(st.lists(st.binary(max_size=60), max_size=8), st.text("abcdef", min_size=6, max_size=12))
def test_redaction_never_changes_a_length(pieces, secret):
    cleaned = Redactor(secret).pieces(pieces)
    assert [len(piece) for piece in cleaned] == [len(piece) for piece in pieces]
    assert secret.encode() not in b"".join(cleaned)


@given(
    st.lists(st.tuples(st.floats(0, 1e4), st.binary(max_size=50)), max_size=6),
    st.binary(max_size=50),
    st.booleans(),
)
def test_a_file_gives_back_what_was_written(tmp_path_factory, pieces, body, complete):
    path = tmp_path_factory.mktemp("cassette") / "a.jsonl"
    given_pieces = [Piece(round(after, 6), data) for after, data in pieces]
    written = exchange(pieces=given_pieces, request_body=body, complete=complete)
    write(path, written, exchange())
    with Cassette(path, MmapCache()) as cassette:
        assert len(cassette) == 2
        assert cassette[0] == written
        assert cassette[:] == [written, exchange()]


async def test_a_request_that_was_not_recorded_is_told_what_differs(tmp_path):
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}]}
    write(tmp_path / "a.jsonl", exchange(request_body=json.dumps(body).encode()))
    async with CassetteServer(tmp_path / "a.jsonl") as server:
        other = {**body, "messages": [{"role": "user", "content": "b"}]}
        answer = await post(server, CHAT, other)
        assert answer.status_code == 404
        assert "body.messages[0].content" in answer.json()["error"]["message"]
        elsewhere = await post(server, "/v1/nothing", {})
        assert "not recorded: POST /v1/nothing" in elsewhere.json()["error"]["message"]
    assert len(server.misses) == 2


async def test_bodies_match_as_json_and_repeats_are_allowed(tmp_path):
    one, two = b'{"a": 1, "b": [2]}', b'{"b":[2],"a":1}'
    write(tmp_path / "a.jsonl", exchange(b"one", request_body=one), exchange(b"two", request_body=two))
    async with CassetteServer(tmp_path / "a.jsonl") as server:
        got = [(await post(server, CHAT, {"b": [2], "a": 1})).content for _ in range(3)]
    assert got == [b"one", b"two", b"two"]


ONE = exchange(request_body=b'{"n": 1}')
TWO = exchange(request_body=b'{"n": 2}')


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ([1, 2], None),
        ([1], "recorded, but not requested"),
        ([2, 1], "another order than recorded: 2, 1"),
        ([1, 2, 2], "more often than recorded"),
        ([1, 3, 2], "body.n"),
    ],
    ids=["as-recorded", "missing", "order", "too-often", "other-body"],
)
async def test_verify_demands_the_recorded_requests(tmp_path, asked, says):
    write(tmp_path / "a.jsonl", ONE, TWO)
    server = CassetteServer(tmp_path / "a.jsonl", verify=True)

    async def run():
        async with server:
            for number in asked:
                await post(server, CHAT, {"n": number})

    if says is None:
        await run()
    else:
        with pytest.raises(CassetteMismatchError, match=says):
            await run()


async def test_the_error_of_the_body_goes_before_a_mismatch(tmp_path):
    write(tmp_path / "a.jsonl", ONE)
    with pytest.raises(KeyError):
        async with CassetteServer(tmp_path / "a.jsonl", verify=True):
            raise KeyError


def test_limits_leave_out_whole_exchanges_and_say_so(tmp_path):
    with CassetteWriter(tmp_path / "a.jsonl", max_exchange_bytes=100, max_bytes=1000) as writer:
        assert writer.add(exchange())
        assert not writer.add(exchange(b"x" * 101))
        while writer.add(exchange()):
            pass
    assert "max_exchange_bytes" in writer.left_out[0]
    assert "max_bytes" in writer.left_out[1]
    assert (tmp_path / "a.jsonl").stat().st_size <= 1000
    with Cassette(tmp_path / "a.jsonl") as cassette:
        assert len(cassette) == writer.exchanges


async def test_a_body_beyond_the_limit_passes_but_is_not_recorded(tmp_path):
    async with (
        quick(text="word " * 500) as llm,
        CassetteRecorder(llm.url, tmp_path / "a.jsonl", max_exchange_bytes=1000) as recorder,
    ):
        assert len(text_of((await post(recorder, CHAT, chat())).content).split()) == 500
    assert recorder.writer.exchanges == 0
    assert len(recorder.writer.left_out) == 1


async def test_an_upstream_that_is_not_there_gives_502_and_is_not_recorded(tmp_path):
    async with quick() as llm:
        gone = llm.url
    async with CassetteRecorder(gone, tmp_path / "a.jsonl") as recorder:
        assert (await post(recorder, CHAT, chat())).status_code == 502
    assert recorder.writer.exchanges == 0


async def test_a_client_that_leaves_frees_the_upstream(tmp_path):
    async with quick(inter_token_latency=10) as llm:
        async with CassetteRecorder(llm.url, tmp_path / "a.jsonl") as recorder:
            await raw(recorder, CHAT, chat(), limit=200)
            await until(lambda: llm.statistics.cancelled == 1)
        await until(lambda: llm.statistics.open_connections == 0)
    assert recorder.writer.exchanges == 0


async def test_leaving_the_recorder_ends_streams_in_progress(tmp_path):
    before = asyncio.all_tasks()
    async with quick(inter_token_latency=10) as llm:
        async with CassetteRecorder(llm.url, tmp_path / "a.jsonl") as recorder:
            request = asyncio.ensure_future(raw(recorder, CHAT, chat()))
            await until(lambda: llm.statistics.frames == 1)
        assert not (await request).endswith(b"<open>")
        await until(lambda: llm.statistics.open_connections == 0)
    assert asyncio.all_tasks() == before


async def test_a_failed_recording_leaves_the_old_cassette(tmp_path):
    path = write(tmp_path / "a.jsonl", exchange(b"old"))
    async with quick() as llm:
        with pytest.raises(KeyError):
            async with CassetteRecorder(llm.url, path) as recorder:
                await post(recorder, CHAT, chat())
                raise KeyError
    with Cassette(path) as cassette:
        assert cassette[0].body == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_cassette_being_read_survives_its_replacement(tmp_path):
    path = write(tmp_path / "a.jsonl", exchange(b"old" * 1000))
    with Cassette(path) as old:
        write(path, exchange(b"new"))
        assert old[0].body == b"old" * 1000
    with Cassette(path) as new:
        assert new[0].body == b"new"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        (b"", "does not begin"),
        (b'{"format": "other"}\n', "does not begin"),
        (b'{"format": "streamarena-cassette-1"}\n{"request": 1}\n', "line 2"),
        (b'{"format": "streamarena-cassette-1"}\n\n{broken\n', "line 3"),
    ],
    ids=["missing", "empty", "other-format", "no-exchange", "no-json"],
)
def test_what_is_no_cassette_is_refused(tmp_path, content, says):
    path = tmp_path / "a.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CassetteError, match=says):
        with Cassette(path) as cassette:
            _ = list(cassette)


def test_a_negative_delay_is_refused(tmp_path):
    write(tmp_path / "a.jsonl", exchange())
    with pytest.raises(ConfigurationError):
        CassetteServer(tmp_path / "a.jsonl", delay=-1)


async def test_a_replay_can_be_cancelled_at_any_moment(tmp_path):
    write(tmp_path / "a.jsonl", exchange(pieces=[Piece(60.0, b"late")], ended=60.0))
    async with CassetteServer(tmp_path / "a.jsonl", delay=1.0) as server:
        start = time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            async with httpx.AsyncClient(base_url=server.url, timeout=0.1, trust_env=False, verify=False) as client:
                await client.post(CHAT, json={"model": "m"})
        await until(lambda: server.statistics.open_connections == 0)
        assert time.monotonic() - start < 10
        assert server.statistics.cancelled == 1
