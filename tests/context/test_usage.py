"""Usage arithmetic over the user-interface store, section 1.4."""

from __future__ import annotations

import json

import pytest

from streamarena.context.history import MessageHistory
from streamarena.context.usage import context_tokens, usage_totals


def started(**fields):
    return {"type": "say", "say": "api_req_started", "text": json.dumps(fields)}


def finished(**fields):
    return {**started(**fields), "say": "api_req_finished"}


TASK = {"type": "say", "say": "text", "text": "the task"}
CONDENSED = {"type": "say", "say": "condense_context", "contextCondense": {"newContextTokens": 77, "cost": 0.5}}


@pytest.mark.parametrize(
    ("messages", "classic", "native"),
    [
        ([], 0, 0),
        ([started(tokensIn=9)], 0, 0),
        ([TASK, started(tokensIn=10, tokensOut=5, cacheWrites=3, cacheReads=2)], 15, 15),
        ([TASK, started(tokensIn=10, tokensOut=5, cacheWrites=3, cacheReads=2, apiProtocol="anthropic")], 20, 15),
        ([TASK, started(tokensIn=10, tokensOut=5), started()], 15, 15),
        ([TASK, started(tokensIn=10), CONDENSED], 77, 77),
        ([TASK, CONDENSED, started(tokensIn=10)], 10, 10),
        ([TASK, started(tokensIn=10), {"type": "say", "say": "api_req_started", "text": "{bad"}], 10, 10),
        ([TASK, started(tokensIn=4), {"type": "say", "say": "api_req_finished", "text": '{"tokensIn": 6}'}], 6, 6),
        ([TASK, started(tokensIn=10), started(tokensIn=float("nan"), tokensOut=7)], 10, 10),
        ([TASK, started(tokensIn="many", tokensOut=3)], 3, 3),
        ([TASK, {"type": "ask", "say": "api_req_started", "text": '{"tokensIn": 6}'}], 0, 0),
    ],
)
def test_the_context_is_as_full_as_the_last_request_says(messages, classic, native):
    assert context_tokens(messages, generation="classic") == classic
    assert context_tokens(messages) == native
    history = MessageHistory(ui_messages=messages)
    assert history.context_tokens() == native
    assert history.context_tokens(classic=True) == classic


def test_sums_over_a_task():
    messages = [
        TASK,
        started(tokensIn=10, tokensOut=5, cacheReads=2, cost=0.25),
        CONDENSED,
        started(tokensIn=1, cost=1),
    ]
    totals = usage_totals(messages)
    assert (totals.tokens_in, totals.tokens_out, totals.cache_reads, totals.cost) == (11, 5, 2, 1.75)
    assert totals.context_tokens == 1


@pytest.mark.parametrize(
    ("messages", "tokens_in"),
    [
        ([TASK, started(tokensIn=4), finished(tokensIn=6)], 6),
        ([TASK, started(tokensIn=4), finished(cost=1)], 4),
        ([TASK, started(tokensIn=4), finished(tokensIn=6), finished(tokensIn=8)], 6),
        ([TASK, finished(tokensIn=6), started(tokensIn=4)], 4),
        ([TASK, started(tokensIn=4), started(tokensIn=5), finished(tokensIn=6)], 10),
    ],
    ids=["replaced", "completed", "ended-twice", "never-started", "aborted-before"],
)
def test_a_request_and_its_end_are_summed_as_one(messages, tokens_in):
    assert usage_totals(messages).tokens_in == tokens_in
