"""Every fault is seen on the wire as its line of the table says, and leaves nothing at the server."""

from __future__ import annotations

import asyncio
import time

import pytest

from streamarena.testing import FAULTS, parse_fault
from tests.testing.helpers import CHAT, MESSAGES, chat, post, quick, raw, text_of, until

END = b"0\r\n\r\n"
DONE = b"data: [DONE]"
CONTENT = b'"content":"'
HEAD = b"HTTP/1.1 200 OK"


def contents(received):
    """How many content deltas, not counting the empty one of the role-only chunk."""
    return received.count(CONTENT) - received.count(b'"content":""')


CASES = {
    "none": lambda r: contents(r) == 8 and DONE in r,
    "status": lambda r: r.startswith(b"HTTP/1.1 500 ") and b'"error"' in r,
    "status:429": lambda r: r.startswith(b"HTTP/1.1 429 ") and b"retry-after: 1" in r,
    "error@2": lambda r: contents(r) == 2 and b'data: {"error":' in r and DONE not in r and END in r,
    "cut@2": lambda r: contents(r) in {2, 3} and not r.endswith((b"\n\n", b"<open>")) and END not in r,
    "no-end@2": lambda r: contents(r) == 2 and DONE not in r and END in r,
    "reset@2": lambda r: contents(r) == 2 and END not in r and not r.endswith(b"<open>"),
    "reset@0": lambda r: r.startswith(HEAD) and contents(r) == 0 and not r.endswith(b"<open>"),
    "reset-before-headers": lambda r: r in {b"", b"<reset>"},
    "stall@2": lambda r: contents(r) == 2 and r.endswith(b"<open>"),
    "stall@0": lambda r: r.startswith(HEAD) and contents(r) == 0 and r.endswith(b"<open>"),
    "stall-before-headers": lambda r: r == b"<open>",
    "pause:0.1@2": lambda r: contents(r) == 8 and DONE in r,
    "freeze:0.1": lambda r: contents(r) == 8 and DONE in r,
    "garbage@2": lambda r: contents(r) == 8 and b"{\xff\xfe<" in r and DONE in r,
    "role-only": lambda r: contents(r) == 0 and b'"role":"assistant"' in r and DONE in r,
    "ping-storm:0.001": lambda r: contents(r) == 0 and r.count(b": ping\n\n") > 20 and r.endswith(b"<open>"),
    "html": lambda r: r.startswith(HEAD) and b"text/html" in r and b"</html>" in r,
    "content-type": lambda r: b"content-type: text/plain" in r and contents(r) == 8,
    "huge-header:200000": lambda r: b"x-padding: " + b"a" * 200_000 in r and contents(r) == 8,
    "slow-headers:0.0001": lambda r: r.startswith(HEAD) and contents(r) == 8 and DONE in r,
    "bad-chunk@2": lambda r: contents(r) == 3 and b"\r\nzz\r\n" in r and not r.endswith(b"<open>"),
    "extra-bytes:5": lambda r: r.endswith(END + b"xxxxx"),
    "close-idle": lambda r: r.endswith(END) and DONE in r,
}


def test_every_fault_has_a_case():
    assert {parse_fault(text).name for text in CASES} == set(FAULTS)


@pytest.mark.parametrize("text", CASES)
async def test_what_a_fault_looks_like(text):
    async with quick() as llm:
        received = await raw(llm, CHAT, chat(f"m,fault={text}"), seconds=0.4, headers="connection: close\r\n")
        assert CASES[text](received), received
        await until(lambda: llm.statistics.active == 0 and llm.statistics.open_connections == 0)
        assert llm.queue.in_service == 0
        assert sum(llm.statistics.outcomes.values()) == 1
        assert llm.statistics.faults == ({} if text == "none" else {parse_fault(text).name: 1})


@pytest.mark.parametrize("text", ["error@2", "cut@2", "garbage@2", "ping-storm:0.001", "role-only"])
async def test_faults_speak_the_language_of_the_api(text):
    async with quick() as llm:
        received = await raw(llm, MESSAGES, chat(f"m,fault={text}"), seconds=0.3)
    marks = {
        "error@2": b"event: error\ndata: ",
        "cut@2": b"message_start",
        "garbage@2": b"{\xff\xfe<",
        "ping-storm:0.001": b'event: ping\ndata: {"type": "ping"}',
        "role-only": b"message_stop",
    }
    assert marks[text] in received


WHOLE_CASES = {
    "none": lambda r: b'"object":"chat.completion"' in r,
    "status:529": lambda r: r.startswith(b"HTTP/1.1 529 "),
    "error": lambda r: r.startswith(b"HTTP/1.1 500 ") and b'"error"' in r,
    "cut": lambda r: b'"object"' in r and not r.endswith((b"}", b"<open>")),
    "reset": lambda r: r.startswith(HEAD) and b'"object"' not in r and not r.endswith(b"<open>"),
    "stall": lambda r: r.startswith(HEAD) and r.endswith(b"\r\n\r\n<open>"),
    "html": lambda r: b"</html>" in r,
    "garbage": lambda r: b'{\xff\xfe<"id"' in r and r.endswith(END),
    "role-only": lambda r: b'"object":"chat.completion"' in r,
    "extra-bytes:3": lambda r: r.endswith(b"}xxx"),
    "huge-header:70000": lambda r: b"a" * 70_000 in r and r.endswith(b"}"),
    "bad-chunk": lambda r: b"\r\n\r\nzz\r\n" in r,
}


@pytest.mark.parametrize("text", WHOLE_CASES)
async def test_faults_strike_whole_replies_too(text):
    async with quick() as llm:
        body = chat(f"m,fault={text}", stream=False)
        received = await raw(llm, CHAT, body, seconds=0.3, headers="connection: close\r\n")
        assert WHOLE_CASES[text](received), received
        await until(lambda: llm.statistics.active == 0)


async def test_a_connection_closed_while_idle_was_promised_to_stay():
    async with quick() as llm:
        received = await raw(llm, CHAT, chat("m,fault=close-idle"))
    assert received.endswith(END)
    assert b"connection: close" not in received


async def test_shares_of_faults_are_drawn_by_seed():
    async def run(seed):
        async with quick(seed=seed, faults={"status:503": 0.3, "role-only": 0.2}) as llm:
            for _ in range(40):
                await post(llm, CHAT, chat(stream=False))
            return [record.fault for record in llm.statistics.records]

    first, again, other = await run(1), await run(1), await run(2)
    assert first == again
    assert first != other
    assert 5 <= first.count("status") <= 20
    assert 2 <= first.count("role-only") <= 16


async def test_a_request_can_ask_to_be_spared():
    async with quick(faults={"status": 1.0}) as llm:
        assert (await post(llm, CHAT, chat())).status_code == 500
        assert text_of((await post(llm, CHAT, chat("m,fault=none"))).content)


async def test_a_freeze_holds_everybody():
    async with quick(inter_token_latency=0.01, tokens=30) as llm:
        frozen = time.monotonic_ns()
        llm.freeze(0.3)
        await post(llm, CHAT, chat())
        (record,) = llm.statistics.records
    assert record.setup - frozen >= 0.3e9


async def test_dropping_all_connections_looks_like_a_restart():
    async with quick(inter_token_latency=10) as llm:
        assert llm.drop_connections() == 0
        received = raw(llm, CHAT, chat())
        task = asyncio.ensure_future(received)
        await until(lambda: llm.statistics.frames == 1)
        assert llm.drop_connections() == 1
        assert not (await task).endswith(b"<open>")
