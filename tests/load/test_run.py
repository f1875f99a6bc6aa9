"""Whole runs against the bundled server: what is counted, what is left out, and how runs end."""

from __future__ import annotations

import asyncio

import pytest

from streamarena.load import (
    ClosedLoop,
    Conversation,
    DropStreams,
    LoadPlan,
    LoadRequest,
    LoadTest,
    OpenLoop,
    Stage,
    Synthetic,
)
from streamarena.pipeline import Pipeline, map
from streamarena.testing import FakeLLM

FAST = {"ttft": 0.002, "inter_token_latency": 0.001, "tokens": 8}


def plan(llm, **changes):
    given = {"url": f"{llm.url}/v1", "model": "m", "requests": Synthetic(20, None), "request_count": 20}
    return LoadPlan(**(given | changes))


async def run(llm, **changes):
    return await LoadTest(plan(llm, **changes)).run()


async def test_a_closed_loop_sends_what_was_asked_and_counts_every_chunk_and_token():
    async with FakeLLM(**FAST) as llm:
        result = await run(llm, schedule=ClosedLoop(4))
        assert llm.statistics.requests == 20
    summary = result.summary
    assert (summary["completed"], summary["failed"]) == (20, 0)
    assert summary["total_chunks"] == summary["total_output_tokens"] == 160
    assert summary["token_source"] == "usage"
    assert 1 <= summary["peak_concurrency"] <= 4
    assert result.histogram("ttft").count == result.histogram("e2e").count == 20
    assert result.histogram("gap").count == result.histogram("itl").count == 140
    assert result.histogram("stamp_error").count >= 20
    assert summary["total_input_tokens"] > 0


async def test_an_open_loop_also_counts_from_the_schedule():
    async with FakeLLM(**FAST) as llm:
        result = await run(llm, schedule=OpenLoop(200, "constant"))
    summary = result.summary
    assert summary["completed"] == 20
    for name in ("schedule_lag", "ttft_scheduled", "e2e_scheduled"):
        assert result.histogram(name).count == 20
    assert summary["p99_ttft_scheduled_ms"] >= summary["p99_ttft_ms"] * 0.999


async def test_requests_before_and_after_the_measured_ones_are_left_out():
    async with FakeLLM(**FAST) as llm:
        result = await run(llm, schedule=ClosedLoop(2), request_count=10, warmup_requests=3, cooldown_requests=4)
        assert llm.statistics.requests == 17
    assert (result.summary["completed"], result.summary["left_out"]) == (10, 7)
    assert result.histogram("ttft").count == 10


async def test_a_run_by_time_ends_and_leaves_out_its_edges():
    async with FakeLLM(**FAST) as llm:
        changes = {"request_count": None, "duration": 0.3, "warmup_seconds": 0.1, "cooldown_seconds": 0.1}
        result = await run(llm, schedule=ClosedLoop(2), **changes)
        assert llm.statistics.outcomes["cancelled"] == 0
    assert result.summary["left_out"] > 0
    assert result.summary["completed"] > 0
    assert result.summary["started"] == result.summary["completed"] + result.summary["left_out"]


async def test_streams_open_too_long_after_the_end_are_cut_and_called_unfinished():
    async with FakeLLM(**FAST | {"tokens": 100_000}) as llm:
        changes = {"request_count": None, "duration": 0.1, "drain_seconds": 0.1}
        result = await run(llm, schedule=ClosedLoop(3), **changes)
        await asyncio.sleep(0.05)
        assert llm.statistics.active == 0
    assert result.summary["unfinished"] == 3
    assert "p99_e2el_ms" not in result.summary, "a missing stamp is missing"
    assert result.histogram("ttft").count == 3


async def test_errors_are_counted_by_kind_and_are_no_latencies():
    async with FakeLLM(**FAST, faults={"status:429": 0.3, "cut@3": 0.3}, seed=1) as llm:
        result = await run(llm, schedule=ClosedLoop(4), request_count=60)
    summary = result.summary
    errors = {kind: error["count"] for kind, error in summary["errors"].items()}
    assert set(errors) == {"http_429", "stream_cut_short"}
    assert sum(errors.values()) == summary["failed"]
    assert summary["completed"] + summary["failed"] == 60
    assert result.histogram("e2e").count == summary["completed"]
    assert result.histogram("ttft").count == summary["completed"] + errors["stream_cut_short"]


async def test_a_server_that_is_not_there_is_an_outcome_and_no_crash():
    test = LoadTest(LoadPlan(url="http://127.0.0.1:9/v1", requests=lambda number: {"messages": []}, request_count=3))
    result = await test.run()
    assert result.summary["errors"]["connection_failed"]["count"] == 3
    assert result.verdict.state == "nothing measured"
    assert "median_ttft_ms" not in result.summary


@pytest.mark.parametrize(
    "drop", [DropStreams(1.0, after_chunks=3), DropStreams(1.0, after_seconds=0.03)], ids=["after-chunks", "after-time"]
)
async def test_a_share_of_streams_can_be_left_early(drop):
    async with FakeLLM(**FAST | {"tokens": 1000}) as llm:
        result = await run(llm, schedule=ClosedLoop(2), request_count=4, drop=drop)
        await asyncio.sleep(0.05)
        assert llm.statistics.cancelled == 4
    assert (result.summary["dropped"], result.summary["failed"]) == (4, 0)
    assert result.summary["token_source"] == "chunks", "usage of half a stream is half a count"


async def test_half_of_the_streams_dropped_are_the_same_half_each_time():
    async with FakeLLM(**FAST) as llm:
        drop = DropStreams(0.5, after_chunks=1)
        results = [await run(llm, schedule=ClosedLoop(2), drop=drop, seed=5) for _ in range(2)]
    assert results[0].summary["dropped"] == results[1].summary["dropped"]
    assert 0 < results[0].summary["dropped"] < 20


async def test_goodput_counts_requests_that_meet_every_objective():
    async with FakeLLM(**FAST) as llm:
        all_good = await run(llm, goodput={"ttft": 10_000, "e2el": 10_000, "tpot": 10_000, "itl": 10_000})
        none_good = await run(llm, goodput={"ttft": 10_000, "e2el": 0.001})
    assert all_good.summary["request_goodput"] == pytest.approx(all_good.summary["request_throughput"])
    assert none_good.summary["request_goodput"] == 0


async def test_a_ramp_and_stages_change_how_many_users_there_are():
    async with FakeLLM(**FAST | {"tokens": 20}) as llm:
        schedule = ClosedLoop(4, ramp_up=0.2, stages=(Stage(0.1, 4), Stage(0, 1), Stage(0.2, 1)))
        result = await run(llm, schedule=schedule, request_count=None, duration=0.5)
    assert 2 <= result.summary["peak_concurrency"] <= 4


async def test_conversations_grow_their_history_and_send_the_reply_back():
    seen = []
    async with FakeLLM(**FAST, responder=lambda request: seen.append(request.body["messages"])) as llm:
        source = lambda number: Conversation(["one", "two", "three"], system="be brief")  # noqa: E731 - a source is a callable
        result = await run(llm, requests=source, request_count=2, schedule=ClosedLoop(1))
    assert result.summary["completed"] == 6
    assert [len(messages) for messages in seen] == [2, 4, 6] * 2
    assert [message["role"] for message in seen[2]] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert len(seen[2][2]["content"].split()) == 8


async def test_a_long_history_is_trimmed_to_the_budget():
    seen = []
    async with FakeLLM(**FAST, responder=lambda request: seen.append(request.body["messages"])) as llm:
        turns = [f"question {n} " + "word " * 100 for n in range(5)]
        source = lambda number: Conversation(turns, max_history_tokens=300)  # noqa: E731 - a source is a callable
        await run(llm, requests=source, request_count=1)
    assert len(seen[-1]) < 9
    assert seen[-1][-1]["content"] == turns[-1]


async def test_every_stream_goes_through_the_plans_pipeline():
    seen = []
    async with FakeLLM(**FAST) as llm:
        result = await run(llm, request_count=3, pipeline=Pipeline(map(seen.append)))
    assert sum(chunk.kind == "text" for chunk in seen) == result.summary["total_chunks"]


async def test_rows_tell_of_each_request_and_stamps_of_each_read():
    rows = []
    async with FakeLLM(**FAST) as llm:
        test = LoadTest(plan(llm, stamps=True), on_interval=lambda interval: rows.extend(interval.rows))
        await test.run()
        records = {record.client_id: record for record in llm.statistics.records}
    assert sorted(row["number"] for row in rows) == list(range(20))
    for row in rows:
        record = records[f"load-{row['number']}"]
        assert row["output_tokens"] == row["chunks"] == len(record.stamps) == 8
        assert row["stamps_ns"][0][0] - row["sent_ns"] == pytest.approx(row["ttft_ms"] * 1e6)


async def test_a_failing_request_source_ends_the_run_with_its_own_error():
    def source(number):
        if number == 3:
            raise ValueError("no more")
        return {"messages": [{"role": "user", "content": "hi"}]}

    async with FakeLLM(**FAST) as llm:
        with pytest.raises(ValueError, match="no more"):
            await run(llm, requests=source, schedule=ClosedLoop(2))
        await asyncio.sleep(0.05)
        assert llm.statistics.active == 0


async def test_stopping_keeps_what_was_measured():
    async with FakeLLM(**FAST) as llm:
        test = LoadTest(plan(llm, request_count=1_000_000, schedule=ClosedLoop(2)))
        asyncio.get_running_loop().call_later(0.2, test.stop)
        result = await test.run()
    assert 0 < result.summary["completed"] < 1000
    assert result.summary["unfinished"] == 0


@pytest.mark.parametrize("cancels", [1, 2])
async def test_cancelling_closes_every_stream(cancels):
    async with FakeLLM(**FAST | {"tokens": 100_000}) as llm:
        task = asyncio.ensure_future(run(llm, schedule=ClosedLoop(5)))
        await asyncio.sleep(0.1)
        for _ in range(cancels):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.05)
        assert llm.statistics.active == 0
        assert llm.statistics.cancelled == 5


async def test_bodies_given_as_bytes_and_other_paths_are_sent_as_they_are():
    body = b'{"model": "x", "stream": true, "messages": [{"role": "user", "content": "hi"}]}'
    async with FakeLLM(**FAST) as llm:
        source = lambda number: LoadRequest(body, path="/elsewhere/chat/completions", input_tokens=7)  # noqa: E731 - as above
        result = await run(llm, requests=source, request_count=2)
    assert result.summary["completed"] == 2
    assert result.summary["token_source"] == "chunks", "no usage was asked for"
    assert result.summary["total_input_tokens"] == 14
