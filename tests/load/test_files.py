"""What is written: HdrHistogram logs others can read, pages without scripts, comparisons that know chance."""

from __future__ import annotations

import csv
import json
import random
from html.parser import HTMLParser

import pytest

from streamarena.errors import ConfigurationError
from streamarena.load import ClosedLoop, Histogram, LoadPlan, LoadResult, Totals
from streamarena.load.compare import compare, compare_table, load_documents, pair_runs
from streamarena.load.export import as_document, write_csv, write_hdr_log, write_json
from streamarena.load.hdr import encode_hdr
from streamarena.load.html_report import html_report
from streamarena.load.interval import Health, Interval, decode_interval, encode_interval, shift_interval
from streamarena.load.metrics import METRICS
from streamarena.load.plots import Line, nice_ticks, plot
from streamarena.load.scrape import Scraper, parse_metrics
from streamarena.load.totals import sweep


def interval(mean_ms=20.0, requests=500, seed=0, worker=0):
    source = random.Random(seed)
    made = Interval(worker, 10**9)
    made.end = 2 * 10**9
    made.note_span(10**9, 2 * 10**9)
    for _ in range(requests):
        ttft = int(source.gauss(mean_ms, mean_ms / 10) * 1e6)
        made.add("ttft", ttft)
        made.add("ttft_low", ttft - 100_000)
        made.add("gap", 10_000_000)
    made.counters.update(started=requests, completed=requests, output_tokens=requests * 10)
    made.add_error("http_429", "slow <down> & wait")
    made.starts.extend(range(10**9, 10**9 + requests))
    made.ends.extend(range(2 * 10**9, 2 * 10**9 + requests))
    made.rows.append({"scheduled_ns": None, "sent_ns": 5, "ended_ns": 6})
    return made


def result(mean_ms=20.0, requests=500, seed=0):
    totals = Totals(10**9)
    made = interval(mean_ms, requests, seed)
    made.done = True
    totals.add(made)
    return LoadResult(LoadPlan(url="http://h/v1", requests=dict, schedule=ClosedLoop(3), request_count=1), totals)


def test_an_interval_comes_back_from_bytes_as_it_was():
    made = interval()
    back = decode_interval(encode_interval(made))
    for name in Interval.__slots__:
        if name == "histograms":
            continue
        assert getattr(back, name) == getattr(made, name), name
    for name, histogram in made.histograms.items():
        for part in Histogram.__slots__:
            assert getattr(back.histograms[name], part) == getattr(histogram, part)


def test_another_machines_moments_are_moved_to_our_clock():
    made = interval(requests=2)
    shift_interval(made, -5)
    assert (made.start, made.end, made.first_start) == (10**9 - 5, 2 * 10**9 - 5, 10**9 - 5)
    assert list(made.starts) == [10**9 - 5, 10**9 - 4]
    assert made.rows[0] == {"scheduled_ns": None, "sent_ns": 0, "ended_ns": 1}


def test_an_interval_takes_up_the_one_after_it_whole():
    first, second = Interval(3, 0), Interval(3, 10)
    for one, end in ((first, 10), (second, 20)):
        one.end, one.active, one.peak_active = end, end, end + 1
        one.counters["started"] = 2
        one.starts.extend([end - 5, end - 4])
        one.ends.append(end - 1)
        one.rows.append({"number": end})
        one.health = Health(wall=10, cpu=1, busy=2, run_wait=3, memory=end)
        one.add("ttft", end)
    second.done = True
    first.append(second)
    assert (first.start, first.end, first.active, first.peak_active, first.done) == (0, 20, 20, 21, True)
    assert first.counters["started"] == 4
    assert (list(first.starts), list(first.ends)) == ([5, 6, 15, 16], [9, 19])
    assert [row["number"] for row in first.rows] == [10, 20]
    assert first.health == Health(wall=20, cpu=2, busy=4, run_wait=6, memory=20)
    assert first.histogram("ttft").count == 2


def test_moments_of_another_machine_are_shifted_with_every_stamp():
    one = Interval(0, 100)
    one.rows.append({"scheduled_ns": None, "sent_ns": 5, "ended_ns": 9, "stamps_ns": [(6, 1), (8, 2)]})
    shift_interval(one, 1000)
    assert one.start == 1100
    (row,) = one.rows
    assert (row["scheduled_ns"], row["sent_ns"], row["stamps_ns"]) == (None, 1005, [(1006, 1), (1008, 2)])


def test_kinds_of_errors_are_capped_and_none_is_lost():
    made = Interval()
    for number in range(200):
        made.add_error(f"kind {number}", "x" * 10_000)
    assert sum(error.count for error in made.errors.values()) == 200
    assert len(made.errors) <= 65
    assert max(len(error.example) for error in made.errors.values()) <= 500


# What this encoder writes was also decoded by the HdrHistogram project's Python port 0.10.8, to the same counts.


def test_hdr_histograms_are_bytes_that_their_own_tools_read():
    import base64
    import struct
    import zlib

    histogram = Histogram([1, 2047, 5_000_000])
    data = base64.b64decode(encode_hdr(histogram))
    cookie, length = struct.unpack(">ii", data[:8])
    assert cookie & ~0xF0 == 0x1C849304
    assert length == len(data) - 8
    inner = zlib.decompress(data[8:])
    cookie, payload, offset, digits, lowest, highest, ratio = struct.unpack(">iiiiqqd", inner[:40])
    assert (cookie & ~0xF0, payload, offset, digits, lowest, ratio) == (0x1C849303, len(inner) - 40, 0, 3, 1, 1.0)
    assert highest >= 5_000_000
    counts = dict(_counts(inner[40:]))
    assert counts == histogram.counts


def _counts(data):
    """Decode ZigZag LEB128 counts, negative ones being runs of zeroes: written here from the format, not from ours."""
    bucket = position = 0
    while position < len(data):
        number = shift = 0
        while True:
            byte = data[position]
            position += 1
            number |= (byte if shift == 56 else byte & 0x7F) << shift
            if shift == 56 or not byte & 0x80:
                break
            shift += 7
        value = (number >> 1) ^ -(number & 1)
        if value < 0:
            bucket -= value
        else:
            yield bucket, value
            bucket += 1


def test_files_hold_every_figure(tmp_path):
    one = result()
    write_json([one], tmp_path / "r.json")
    write_json([one, one], tmp_path / "sweep.json")
    write_csv([one, one], tmp_path / "r.csv")
    write_hdr_log(one, tmp_path / "r.hlog")
    assert load_documents(tmp_path / "r.json")[0]["completed"] == 500
    assert len(load_documents(tmp_path / "sweep.json")) == 2
    rows = list(csv.DictReader((tmp_path / "r.csv").read_text().splitlines()))
    assert len(rows) == 2
    assert float(rows[0]["p99_ttft_ms"]) == pytest.approx(one.summary["p99_ttft_ms"])
    lines = (tmp_path / "r.hlog").read_text().splitlines()
    assert lines[0].startswith("#[Histogram log format version 1.3]")
    assert sum(line.startswith("Tag=") for line in lines) == 2
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("content", ["", "{}", "[]x", "[{}]"])
def test_a_file_that_is_no_result_is_refused(tmp_path, content):
    file = tmp_path / "r.json"
    file.write_text(content)
    with pytest.raises(ConfigurationError):
        load_documents(file)


def test_the_same_run_shows_no_clear_difference_and_a_slower_one_does():
    base, same, slower = (as_document(result(mean, seed=seed)) for mean, seed in ((20, 1), (20, 2), (22, 3)))
    for one in compare(base, same):
        if one.metric == "ttft" and one.statistic == "p50":
            assert not one.is_clear
    clear = {(one.metric, one.statistic): one for one in compare(base, slower)}
    assert clear["ttft", "p50"].is_clear
    median = clear["ttft", "p50"]
    assert median.low < median.other - median.base < median.high
    assert 1 < median.low < median.high < 3
    assert compare(base, slower) == compare(base, slower), "the same seed gives the same intervals"
    assert "slower against base" in compare_table(pair_runs([("base", [base]), ("slower", [slower])]))


class Collector(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not {"src", "href", "onload"} & {name for name, _ in attrs}, "the page loads nothing and runs nothing"

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_is_one_file_without_scripts_and_escapes_what_came_from_outside():
    documents = [as_document(result(20 + n)) for n in range(3)]
    documents[0]["model_id"] = "<script>alert(1)</script>"
    page = html_report(documents, title="A <b>test</b>")
    collector = Collector()
    collector.feed(page)
    assert "script" not in collector.tags
    assert "link" not in collector.tags
    assert collector.tags.count("svg") == 4 + 3 * 8
    text = " ".join(collector.text)
    for shown in ("Sweep", "<script>alert(1)</script>", "slow <down> & wait", "concurrency 3", "What is measured"):
        assert shown in text


def test_plots_show_gaps_for_missing_values_and_say_when_there_are_none():
    drawn = plot("t", "x", "y", [Line("a", [(0, 1.0), (1, None), (2, 3.0), (3, 2.0)], marked=True)])
    assert drawn.count("<circle") == 3
    path = drawn.partition('class="line c0" d="')[2].partition('"')[0]
    assert path.count("M") == 2, "the line is broken where nothing was measured"
    assert "nothing was measured" in plot("t", "x", "y", [Line("a", [(0, None)])])


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 9_999), (3, 3.1), (0.001, 0.002)])
def test_ticks_are_few_and_inside(low, high):
    ticks = nice_ticks(low, high)
    assert 3 <= len(ticks) <= 7
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)


def test_the_peak_is_found_by_a_sweep_over_all_workers():
    assert sweep([0, 1, 2, 10], [5, 2, 4, 11]) == 2
    totals = Totals(0, workers=2)
    for worker, (starts, ends) in enumerate([([0, 1], [5, 9]), ([2, 6], [4, 7])]):
        one = Interval(worker)
        one.starts.extend(starts)
        one.ends.extend(ends)
        one.done = True
        totals.add(one)
    assert totals.peak_active == 3 == sweep([0, 1, 2, 6], [5, 9, 4, 7])


def test_a_timeline_stays_short_however_long_the_run():
    totals = Totals(0)
    for second in range(5000):
        one = Interval(0, second * 10**9)
        one.end = (second + 1) * 10**9
        one.counters["completed"] = 1
        one.add("ttft", 10**6)
        totals.add(one)
    assert 250 <= len(totals.timeline) <= 600
    assert sum(moment.counters["completed"] for moment in totals.timeline) == 5000
    assert totals.numbers.counters["completed"] == 5000


PAGE = """# HELP vllm:num_requests_running x
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{model_name="m"} 3.0
vllm:e2e_bucket{le="0.5"} 7
process_cpu_seconds_total 1.5e+2 1700000000000
strange line
"""


def test_a_metrics_page_is_read_without_its_buckets():
    assert parse_metrics(PAGE) == {
        'vllm:num_requests_running{model_name="m"}': 3.0,
        "process_cpu_seconds_total": 150.0,
    }


async def test_a_page_that_never_comes_is_counted():
    async with Scraper("http://127.0.0.1:9/metrics", seconds=0.01) as scraper:
        pass
    assert scraper.failures >= 2
    assert scraper.summary()["series"] == {}


def test_every_metric_is_explained_to_users():
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "load.md").read_text("utf-8")
    missing = [each.key for each in METRICS if f"`{each.key}`" not in page]
    assert not missing


def test_a_result_is_json():
    assert json.loads(json.dumps(as_document(result())))["client"]["verdict"]
