"""The verdict blames the client for what the client did, and for nothing else."""

from __future__ import annotations

import pytest

from streamarena.load import ClosedLoop, Interval, LoadPlan, LoadResult, Synthetic, Totals
from streamarena.load.verdict import judge

MS = 1_000_000


def totals(**counters):
    found = Totals(0)
    one = Interval(0, 0)
    one.end = 10**9
    one.counters.update(completed=100, **counters)
    for _ in range(100):
        one.add("ttft", 500 * MS)
        one.add("ttft_low", 500 * MS)
        one.add("schedule_lag", 80 * MS)
    found.add(one)
    return found


@pytest.mark.parametrize(
    ("capped", "state"),
    [(0, "client-limited"), (50, "client-limited"), (100, "trusted")],
    ids=["no cap", "half of them by the cap", "all of them by the cap"],
)
def test_requests_that_wait_for_a_cap_are_not_the_clients_fault(capped, state):
    found = judge(totals(capped=capped))
    assert found.state == state
    assert any("ms late" in reason for reason in found.reasons) == (state != "trusted")


def test_a_lost_worker_turns_the_verdict():
    found = totals(capped=100)
    found.lose(3, "its process ended with code -9")
    verdict = judge(found)
    assert verdict.state == "client-limited"
    assert verdict.reasons == ("worker 3 was lost, and its load with it: its process ended with code -9",)


def test_a_run_without_any_token_names_no_source_of_tokens():
    plan = LoadPlan(url="http://h/v1", requests=Synthetic(), schedule=ClosedLoop(1), request_count=1)
    empty = Totals(0)
    one = Interval(0, 0)
    one.counters.update(failed=1)
    one.add_error("not_a_stream", "<html>\n  <h1>Not found</h1>")
    empty.add(one)
    result = LoadResult(plan, empty)
    assert result.summary["token_source"] is None
    table = result.table()
    assert "tokens from" not in table
    assert "first: <html> <h1>Not found</h1>" in table, "a page of errors stays on one line"
