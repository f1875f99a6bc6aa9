"""Text stages on every wire: what a client joins is edited, however texts and bytes are cut; all other bytes stay."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamarena.errors import CapacityExceededError, EventTooLargeError
from streamarena.providers import Accumulator, decoder_for
from streamarena.providers.framing import LineFramer
from streamarena.relay.texts.blocks import BlockSplitter, read_block, with_data
from streamarena.relay.texts.json_spans import replace_values, span_of
from streamarena.relay.texts.rewriting import Rewriter
from streamarena.relay.texts.stages import redact, stop_on
from streamarena.sse import SSEParser
from tests.relay.streams import APIS, cut, stream_of

SECRET = r"sk-[a-d]{3,}"
TEXTS = st.lists(st.text('abcdsk- "\\é\n😀', min_size=1, max_size=8), min_size=1, max_size=8)
PLACES = st.lists(st.integers(0, 9999), max_size=12)


def rewriter(api, *stages, known=True, **options):
    settings = {"lines": api == "ollama", "max_event_bytes": 2**20, **options}
    return Rewriter(stages, api if known else None, **settings)


def run(made, pieces):
    out = []
    for piece in pieces:
        out.append(made.feed(piece))
        if made.stopped:
            return b"".join(out)
    return b"".join([*out, made.finish()])


def events_of(api, body):
    framer = LineFramer() if api == "ollama" else SSEParser()
    events = framer.feed(body)
    assert framer.close() is False
    return events


def reply_of(api, body):
    """What a client makes of a body: the joined reply, and whether the stream came to its end."""
    decoder, joined = decoder_for(api), Accumulator(api)
    for event in events_of(api, body):
        joined.extend(decoder.decode(event))
    joined.extend(decoder.finish())
    return joined.reply(), decoder.complete


def text_of(api, body):
    return reply_of(api, body)[0].text


# ---------------------------------------------------------------- redacting


@pytest.mark.parametrize("known", [True, False], ids=["api known", "api seen"])
@pytest.mark.parametrize("api", APIS)
@given(texts=TEXTS, places=PLACES)
def test_the_joined_text_is_redacted_however_it_is_cut(api, known, texts, places):
    body = b"".join(stream_of(api, tuple(texts)))
    sent = run(rewriter(api, redact(SECRET), known=known), cut(body, places))
    assert text_of(api, sent) == re.sub(SECRET, "[redacted]", "".join(texts))
    assert reply_of(api, sent)[1]
    assert len(events_of(api, sent)) == len(events_of(api, body))
    if not re.search(SECRET, "".join(texts)):
        assert text_of(api, sent) == text_of(api, body)


@pytest.mark.parametrize("api", APIS)
@given(texts=st.lists(st.text("ab é\n", min_size=1, max_size=8), min_size=1, max_size=8), places=PLACES)
def test_without_a_match_every_byte_stays(api, texts, places):
    body = b"".join(stream_of(api, tuple(texts)))
    assert run(rewriter(api, redact(SECRET), str), cut(body, places)) == body


@given(st.binary(max_size=200) | st.just(b"data: \xff\n\n: c\r\rdata:x\r\n\r\nid: 3\n\n"), PLACES, st.booleans())
def test_what_is_no_stream_of_a_known_wire_passes_byte_for_byte(body, places, lines):
    made = rewriter(None, redact(SECRET), lines=lines)
    assert run(made, cut(body, places)) == body


@pytest.mark.parametrize("api", APIS)
def test_responses_and_others_never_show_the_secret_anywhere(api):
    body = b"".join(stream_of(api, ("key: s", "k-abc", "dd and more")))
    sent = run(rewriter(api, redact(SECRET)), [body])
    assert b"k-abc" not in sent
    assert b"sk-" not in sent
    assert text_of(api, sent) == "key: [redacted] and more"


def test_only_an_event_that_may_hold_a_match_waits():
    made = rewriter("openai-chat", redact(SECRET))
    texts = ("Hello", " s", "o, no", " sk-ab", "cd", "!")
    sent = [made.feed(piece) for piece in stream_of("openai-chat", texts)[1:-2]]
    assert [piece.count(b"data:") for piece in sent] == [1, 0, 2, 0, 1, 2]  # the secret may go on after "cd"


def test_only_the_text_of_a_changed_event_changes():
    event = (
        b'event: x\r\nid: 7\r\ndata: {"choices" : [ {"index":0,"z":"\\u00e9","delta":{"a":{"content":"sk-abc"},'
        b'"content": "sk-abcd \\ud83d\\ude00"} , "n":1.50}],"content":"sk-abc"}\r\n: c\r\n\r\n'
    )
    sent = run(rewriter("openai-chat", redact(SECRET)), [event, b"data: [DONE]\n\n"])
    assert sent == event.replace(b'"sk-abcd \\ud83d\\ude00"', '"[redacted] 😀"'.encode()) + b"data: [DONE]\n\n"


def test_a_payload_on_several_lines_is_written_on_one():
    event = b'data: {"choices":[{"index":0,\ndata:  "delta":{"content":"sk-abcd!"}}]}\nid: 1\n\n'
    sent = run(rewriter("openai-chat", redact(SECRET)), [event])
    assert text_of("openai-chat", sent) == "[redacted]!"
    assert sent.endswith(b"\nid: 1\n\n")
    assert sent.count(b"data:") == 1


def test_runs_that_interleave_never_meet():
    def piece(index, text):
        return b'data: {"choices":[{"index":%d,"delta":{"content":"%s"}}]}\n\n' % (index, text)

    pieces = [
        piece(0, b"sk-"),
        piece(1, b"abcd"),
        piece(0, b"abc"),
        piece(1, b" sk-a"),
        piece(0, b"!"),
        piece(1, b"bc"),
    ]
    sent = run(rewriter("openai-chat", redact(SECRET)), pieces)
    texts = {0: "", 1: ""}
    for event in SSEParser().feed(sent):
        choice = event.json()["choices"][0]
        texts[choice["index"]] += choice["delta"]["content"]
    assert texts == {0: "[redacted]!", 1: "abcd [redacted]"}


def test_several_choices_in_one_event_are_edited_each_for_itself():
    def piece(*texts):
        choices = [{"index": index, "delta": {"content": text}} for index, text in enumerate(texts)]
        return b"data: " + json.dumps({"choices": choices}).encode() + b"\n\n"

    sent = run(rewriter("openai-chat", redact(SECRET)), [piece("sk-a", "x"), piece("bc", "sk-b"), piece(".", "cd")])
    joined = ["", ""]
    for event in SSEParser().feed(sent):
        for choice in event.json()["choices"]:
            joined[choice["index"]] += choice["delta"]["content"]
    assert joined == ["[redacted].", "x[redacted]"]


def test_what_waits_for_two_choices_goes_out_with_the_first_of_them():
    def piece(**texts):
        choices = [{"index": int(name[1:]), "delta": {"content": text}} for name, text in texts.items()]
        return b"data: " + json.dumps({"choices": choices}).encode() + b"\n\n"

    pieces = [piece(c0="sk-a", c1="sk-b"), piece(c0="bc"), piece(c0=" end")]
    sent = run(rewriter("openai-chat", redact(SECRET)), pieces)
    joined = ["", ""]
    for event in SSEParser().feed(sent):
        for choice in event.json()["choices"]:
            joined[choice["index"]] += choice["delta"]["content"]
    assert joined == ["[redacted] end", "sk-b"]


def test_text_before_a_tool_call_goes_out_before_it():
    pieces = [
        b'data: {"choices":[{"index":0,"delta":{"content":"see sk-a"}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f"}}]}}]}\n\n',
    ]
    made = rewriter("openai-chat", redact(SECRET))
    assert made.feed(pieces[0]) == b""
    assert made.feed(pieces[1]) == b"".join(pieces)


def test_half_a_surrogate_pair_is_edited_all_the_same():
    event = b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d sk-abcd"}}]}\n\n'
    sent = run(rewriter("openai-chat", redact(SECRET)), [event])
    assert b"sk-abcd" not in sent
    assert SSEParser().feed(sent)[0].json()["choices"][0]["delta"]["content"] == "\ufffd [redacted]"


def test_functions_see_each_delta():
    body = stream_of("openai-chat", ("ab", "cd"))
    assert text_of("openai-chat", run(rewriter("openai-chat", str.upper), body)) == "ABCD"


def test_what_the_events_say_overrules_what_the_path_said():
    body = stream_of("anthropic", ("sk-ab", "cd"))
    made = Rewriter([redact(SECRET)], "openai-chat", lines=False, max_event_bytes=2**20)
    assert text_of("anthropic", run(made, body)) == "[redacted]"


@pytest.mark.parametrize("event", [b"data: tick\n\n", b'data: {"own":"form"}\n\n', b"data: [1]\n\n"])
def test_a_stream_that_no_stage_can_read_says_so(event):
    made = rewriter(None, redact(SECRET))
    assert run(made, [event] * 20) == event * 20
    assert made.unstaged


# ---------------------------------------------------------------- stopping


@pytest.mark.parametrize("api", APIS)
@given(texts=TEXTS, places=PLACES)
def test_the_stream_ends_before_the_stop_in_its_own_form(api, texts, places):
    body = b"".join(stream_of(api, tuple(texts)))
    made = rewriter(api, stop_on("ab", "k-"))
    sent = run(made, cut(body, places))
    whole = "".join(texts)
    expected = re.split("ab|k-", whole, maxsplit=1)[0]
    reply, complete = reply_of(api, sent)
    assert (reply.text, complete, made.stopped) == (expected, True, expected != whole)
    assert reply.finish_reason == "stop"
    framing = LineFramer() if api == "ollama" else SSEParser()
    framing.feed(sent)
    assert framing.close() is False


def test_a_choice_that_stopped_says_nothing_more_while_another_goes_on():
    def piece(index, text):
        return b'data: {"id":"1","choices":[{"index":%d,"delta":{"content":"%s"}}]}\n\n' % (index, text)

    made = rewriter("openai-chat", stop_on("END"))
    sent = run(
        made, [piece(0, b"a"), piece(1, b"b"), piece(0, b"END c"), piece(1, b"d"), piece(0, b"e"), piece(1, b"END")]
    )
    assert made.stopped
    texts = {0: "", 1: ""}
    for event in SSEParser().feed(sent.partition(b"data: [DONE]")[0]):
        for choice in event.json()["choices"]:
            texts[choice["index"]] += choice["delta"].get("content") or ""
    assert texts == {0: "a", 1: "bd"}


def test_the_end_of_responses_repeats_what_was_sent_under_the_items_own_name():
    body = b"".join(stream_of("openai-responses", ("one sk-abc two", " END three")))
    ours = json.loads(re.search(rb"data: (.*output_text.delta.*)", body)[1])["item_id"]
    item = "msg_of_the_provider"
    body = body.replace(ours.encode(), item.encode())
    sent = run(rewriter("openai-responses", redact(SECRET), stop_on("END")), [body])
    done = events_of("openai-responses", sent)[-1].json()
    assert done["response"]["output"][0]["content"][0]["text"] == "one [redacted] two "
    assert done["response"]["output"][0]["id"] == item
    assert b"three" not in sent


# ---------------------------------------------------------------- limits and parts


def test_an_event_too_large_to_wait_is_an_error():
    with pytest.raises(EventTooLargeError, match="event_bytes"):
        run(rewriter("openai-chat", str, max_event_bytes=100), [b"data: " + b"x" * 60, b"x" * 60])


def test_a_stream_of_countless_choices_is_refused():
    pieces = [b'data: {"choices":[{"index":%d,"delta":{"content":"x"}}]}\n\n' % index for index in range(300)]
    with pytest.raises(CapacityExceededError):
        run(rewriter("openai-chat", str), pieces)


ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])


@given(st.lists(st.tuples(st.sampled_from([b"data: a", b"data:b", b"id: 1", b": c", b""]), ENDS), max_size=20), PLACES)
def test_blocks_joined_are_the_bytes_and_hold_the_parsers_events(lines, places):
    body = b"".join(line + end for line, end in lines)
    splitter = BlockSplitter(lines=False, max_bytes=10_000, setting="x")
    blocks = [block for piece in cut(body, places) for block in splitter.feed(piece)]
    rest = splitter.rest()
    assert b"".join(blocks) + rest == body
    found = [read_block(block, lines=False).data for block in blocks]
    assert [data for data in found if data is not None] == [event.raw_data for event in SSEParser().feed(body)]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
        max_leaves=20,
    ),
    st.sampled_from([None, 1]),
    st.data(),
)
def test_a_span_is_exactly_its_value(value, indent, data):
    text = json.dumps(value, indent=indent).encode()
    path, here = (), value
    while isinstance(here, dict | list) and here and data.draw(st.booleans()):
        step = data.draw(st.sampled_from(list(here) if isinstance(here, dict) else range(len(here))))
        path, here = (*path, step), here[step]
    start, end = span_of(text, path)
    assert json.loads(text[start:end]) == here


def test_where_a_name_stands_twice_the_last_counts_as_for_parsers():
    assert replace_values(b'{"a":"1","a" : "2"}', [(("a",), "x")]) == b'{"a":"1","a" : "x"}'


def test_new_data_leaves_the_rest_of_a_block():
    block = read_block(b"\xef\xbb\xbfdata:1\r\ndata: 2\r\nid: 9\r\n\r\n", lines=False)
    assert block.data == b"1\n2"
    assert with_data(block, b"{}") == b"\xef\xbb\xbfdata:{}\r\nid: 9\r\n\r\n"
