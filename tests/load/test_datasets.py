"""Sources: the same request for the same seed and number, from whatever they are made."""

from __future__ import annotations

import base64
import json
import pickle
import random
import struct
import zlib

import pytest

from streamarena.errors import ConfigurationError
from streamarena.load import ClosedLoop, Conversation, Lengths, LoadPlan, LoadTest, Synthetic
from streamarena.load.bodies import COMPLETIONS, body_for
from streamarena.load.datasets import JSONLines, ShareGPT, read_records
from streamarena.load.images import WithImages, png
from streamarena.load.traces import Trace, TraceEntry, read_trace
from streamarena.memory import default_manager
from streamarena.testing import FakeLLM


def question(request):
    return request.body["messages"][-1]["content"]


def test_synthetic_prompts_are_repeatable_different_and_of_the_length_asked_for():
    one, same, other = Synthetic(100, 50, seed=3), Synthetic(100, 50, seed=3), Synthetic(100, 50, seed=4)
    assert [one(n) for n in range(20)] == [same(n) for n in range(20)]
    assert one(1) != other(1)
    assert len({question(one(n)) for n in range(200)}) == 200
    assert len(question(one(7)).split()) == 100
    assert one(7).body["max_tokens"] == 50


def test_lengths_follow_their_distribution_within_bounds():
    lengths = Lengths(100, 20, least=60, most=130)
    drawn = [lengths.draw(random.Random(n)) for n in range(3000)]
    assert min(drawn) >= 60
    assert max(drawn) <= 130
    assert sum(drawn) / 3000 == pytest.approx(99.5, abs=2)


def test_prompts_share_as_many_prefixes_as_asked():
    source = Synthetic(20, None, prefix_tokens=64, prefixes=3)
    assert len({tuple(question(source(n)).split()[:64]) for n in range(100)}) == 3


def test_several_turns_make_a_conversation_that_keeps_the_length():
    made = Synthetic(10, 30, turns=3, think_seconds=0.5)(0)
    assert isinstance(made, Conversation)
    assert len(made.turns) == 3
    assert made.members["max_tokens"] == 30
    assert [made.think_before(turn) for turn in range(3)] == [0.0, 0.5, 0.5]


LINES = [
    {"prompt": "why?", "system": "be brief", "output_tokens": 9},
    {"text": "what?"},
    {"messages": [{"role": "user", "content": "whole body"}], "temperature": 0},
    {"body": {"messages": [{"role": "user", "content": "given"}]}, "input_tokens": 5},
    {"turns": ["one", "two"], "max_tokens": 4},
]


def test_json_lines_are_read_in_every_form_and_begin_again_at_the_end(tmp_path):
    file = tmp_path / "requests.jsonl"
    file.write_text("\n\n".join(json.dumps(line) for line in LINES) + "\n")
    source = pickle.loads(pickle.dumps(JSONLines(file, members={"seed": 1})))
    assert len(source) == 5
    assert source(0).body == {
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "why?"}],
        "max_tokens": 9,
        "seed": 1,
    }
    assert question(source(1)) == "what?"
    assert source(2).body["temperature"] == 0
    assert (question(source(3)), source(3).input_tokens) == ("given", 5)
    assert list(source(4).turns) == ["one", "two"]
    assert source(5) == source(0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no lines"),
        ("[1]\n", "line 1"),
        ("{}\n", "no body"),
        ('{"prompt": 1}\n', "no body"),
        ('{"prompt": "a"}\n\nnot json\n', "line 3 is not a JSON object"),
        ('{"prompt": "a"}\n{"body": 5}\n', "line 2 cannot be sent"),
        ('{"turns": []}\n', "line 1 cannot be sent: a conversation needs"),
        ('{"turns": "one"}\n', "line 1 cannot be sent: a conversation needs"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_before_anything_is_sent(tmp_path, content, said):
    file = tmp_path / "bad.jsonl"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=said):
        JSONLines(file)


def test_share_gpt_gives_first_questions_or_whole_conversations(tmp_path):
    said = [("human", "a long enough question"), ("gpt", "x" * 400), ("human", "and then?"), ("gpt", "y" * 40)]
    records = [
        {"conversations": [{"from": who, "value": text} for who, text in said]},
        {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]},
        {"conversations": []},
    ]
    file = tmp_path / "sharegpt.json"
    file.write_text(json.dumps(records))
    first, whole = ShareGPT(file), ShareGPT(file, turns=True)
    assert len(first) == 1, "what is too short or empty is left out"
    assert (question(first(0)), first(0).body["max_tokens"]) == (said[0][1], 100)
    assert list(whole(0).turns) == [said[0][1], said[2][1]]
    file.write_text("[]")
    with pytest.raises(ConfigurationError):
        ShareGPT(file)


def test_a_mooncake_trace_repeats_its_prefixes_and_times(tmp_path):
    file = tmp_path / "trace.jsonl"
    rows = [
        {"timestamp": 3000, "input_length": 1100, "output_length": 20, "hash_ids": [1, 2, 9]},
        {"timestamp": 1000, "input_length": 1100, "output_length": 10, "hash_ids": [1, 2, 3]},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    trace = read_trace(file)
    assert list(trace.arrivals(speed=2).times(0)) == [0.0, 1.0]
    first, second = question(trace(0)).split(), question(trace(1)).split()
    assert len(first) == len(second) == 1100
    assert first[:1024] == second[:1024]
    assert first[1024:] != second[1024:]
    assert (trace(0).body["max_tokens"], trace(0).body["ignore_eos"]) == (10, True)


def test_a_burst_gpt_trace_leaves_out_what_failed_when_it_was_recorded(tmp_path):
    file = tmp_path / "BurstGPT.csv"
    file.write_text(
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
        "5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,30,0,30,Conversation log\n118,GPT-4,1,1,2,API log\n"
    )
    trace = read_trace(file)
    assert [entry.seconds for entry in trace.entries] == [5, 118]
    assert len(question(trace(0)).split()) == 472


@pytest.mark.parametrize("content", ['{"timestamp": 1}', "{", "[1]"])
def test_a_file_that_is_no_trace_is_refused(tmp_path, content):
    file = tmp_path / "trace.jsonl"
    file.write_text(content)
    with pytest.raises(ConfigurationError):
        read_trace(file)


def test_a_trace_without_entries_is_refused():
    with pytest.raises(ConfigurationError):
        Trace([])
    assert Trace([TraceEntry(0, 1, 1)])(0).input_tokens == 1


def test_an_image_is_a_png_of_its_size():
    data = png(5, 3, random.Random(0))
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (5, 3)
    start = data.index(b"IDAT") + 4
    length = struct.unpack(">I", data[start - 8 : start - 4])[0]
    assert len(zlib.decompress(data[start : start + length])) == 3 * (1 + 5 * 3)


@pytest.mark.parametrize(
    ("api", "find"),
    [
        ("openai-chat", lambda body: body["messages"][-1]["content"][1]["image_url"]["url"]),
        ("openai-responses", lambda body: body["input"][-1]["content"][1]["image_url"]),
        ("anthropic", lambda body: body["messages"][-1]["content"][1]["source"]["data"]),
        ("gemini", lambda body: body["contents"][-1]["parts"][1]["inlineData"]["data"]),
    ],
)
def test_images_travel_in_each_apis_own_shape(api, find):
    source = WithImages(Synthetic(5, 5, api=api), 4, 4, count=2, api=api)
    first, second = find(source(0).body), find(source(1).body)
    assert first != second
    assert base64.b64decode(first.rpartition(",")[2])[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("api", "path", "text"),
    [
        ("openai-chat", None, lambda body: body["messages"][-1]["content"]),
        ("openai-responses", None, lambda body: body["input"][-1]["content"]),
        ("anthropic", None, lambda body: body["messages"][-1]["content"]),
        ("gemini", None, lambda body: body["contents"][-1]["parts"][0]["text"]),
    ],
)
async def test_every_api_is_loaded_in_its_own_words(api, path, text):
    seen = []
    async with FakeLLM(
        ttft=0.001, inter_token_latency=0.0005, tokens=5, responder=lambda r: seen.append(r.body)
    ) as llm:
        version = "v1beta" if api == "gemini" else "v1"
        plan = LoadPlan(
            url=f"{llm.url}/{version}",
            api=api,
            model="m",
            requests=Synthetic(12, 5, api=api),
            schedule=ClosedLoop(1),
            request_count=2,
        )
        result = await LoadTest(plan).run()
    assert result.summary["completed"] == 2, result.summary["errors"]
    assert result.summary["total_output_tokens"] == 10
    assert len(text(seen[0]).split()) == 12


def test_completions_and_the_others_have_bodies_of_their_own():
    messages = [{"role": "user", "content": "hi"}]
    assert body_for(COMPLETIONS, messages, system="s", max_tokens=3)["prompt"] == "s\nhi"
    assert body_for("ollama", messages, max_tokens=3)["options"] == {"num_predict": 3}
    assert body_for("tgi", messages, max_tokens=3) == {"inputs": "hi", "parameters": {"max_new_tokens": 3}}
    assert body_for("gemini", messages, system="s")["systemInstruction"] == {"parts": [{"text": "s"}]}
    assert body_for("anthropic", messages)["max_tokens"] == 1024


def test_a_data_set_that_is_read_again_comes_from_the_file_cache(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n')
    before = default_manager().files.stats().hits
    assert read_records(path) == read_records(path) == [{"a": 1}, {"a": 2}]
    assert default_manager().files.stats().hits == before + 1
    path.write_text('{"a": 3}\n')
    assert read_records(path) == [{"a": 3}]
