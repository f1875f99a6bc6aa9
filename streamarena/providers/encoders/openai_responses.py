"""Chunks to OpenAI's Responses stream.

Invariants: every block of a reply (text, refusal, reasoning, a call) is one output item, numbered from 0; each event
has the next `sequence_number`; an item is `added` once and `done` once, and what `done` and the last event say is what
the deltas brought. Calls stay open to the end, because fragments of parallel calls may interleave.
Costs: the wire repeats every text whole three times at the end of its item, so the texts are kept: `max_bytes`
characters at most, with `BodyTooLargeError`. Not here: choices other than the first, which this wire does not know.

Source: OpenAI, API reference, "Responses streaming events".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from streamarena.errors import BodyTooLargeError
from streamarena.providers.calls import CallFragment, CallNumbers
from streamarena.providers.chunks import (
    Chunk,
    ErrorChunk,
    FinishChunk,
    GroundingChunk,
    ReasoningChunk,
    StartChunk,
    TextChunk,
    ThinkingCompleteChunk,
    ToolCallEndChunk,
    UsageChunk,
)
from streamarena.providers.encoders.openai_responses_items import (
    annotation,
    call_item,
    incomplete_reason,
    message_item,
    message_part,
    reasoning_item,
    response_body,
    response_usage,
)
from streamarena.providers.encoders.parts import sse

__all__ = ["OpenAIResponsesEncoder"]


class _Item:
    """An open output item: what it is, where it stands, and the text so far."""

    __slots__ = ("annotations", "id", "index", "kind", "name", "texts")

    def __init__(self, kind: str, index: int, item_id: str, name: str) -> None:
        self.kind = kind
        self.index = index
        self.id = item_id
        self.name = name
        self.texts: list[str] = []
        self.annotations: list[dict[str, Any]] = []


class OpenAIResponsesEncoder:
    """Encode Responses events.

    Args:
        id: the response's id; None takes the one that the chunks bring.
        model: the model's name; None takes the one that the chunks bring.
        created: seconds since 1970.
        include_usage: whether the last event has usage.
        max_bytes: characters of one reply that are kept for the events that repeat them.
    """

    content_type: ClassVar[str] = "text/event-stream; charset=utf-8"

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002 - the wire's name
        model: str | None = None,
        created: int = 0,
        include_usage: bool = True,
        max_bytes: int = 64 * 2**20,
    ) -> None:
        self._id = id
        self._model = model
        self._created = created
        self._include_usage = include_usage
        self._max_bytes = max_bytes
        self._size = 0
        self._sequence = 0
        self._started = False
        self._failed = False
        self._open: _Item | None = None
        self._open_calls: dict[int, _Item] = {}
        self._calls = CallNumbers()
        self._items = 0
        self._output: list[tuple[int, dict[str, Any]]] = []
        self._usage: UsageChunk | None = None
        self._finish: FinishChunk | None = None

    def encode(self, chunks: Iterable[Chunk]) -> bytes:
        """Return the bytes of these chunks.

        Raises:
            BodyTooLargeError: the reply is longer than `max_bytes`.
        """
        out: list[bytes] = []
        for chunk in chunks:
            if self._failed:
                break
            self._encode_one(chunk, out)
        return b"".join(out)

    def finish(self) -> bytes:
        """Return the ends of the open items and the event with the whole response; nothing after an error."""
        if self._failed:
            return b""
        out: list[bytes] = []
        self._start(out)
        self._close(out)
        self._close_calls(out)
        reason = incomplete_reason(self._finish)
        status = "completed" if reason is None else "incomplete"
        if self._finish is not None and self._finish.reason == "error":
            status = "failed"
        body = self._response(status)
        if status == "failed":
            body["error"] = {"code": "server_error", "message": "the model ended with an error"}
        if reason is not None:
            body["incomplete_details"] = {"reason": reason}
        if self._include_usage and self._usage is not None:
            body["usage"] = response_usage(self._usage)
        self._emit(f"response.{status}", {"response": body}, out)
        return b"".join(out)

    # ------------------------------------------------------------ kinds

    def _encode_one(self, chunk: Chunk, out: list[bytes]) -> None:
        match chunk:
            case TextChunk(index=0):
                self._text(chunk.text, "refusal" if chunk.refusal else "text", out)
            case ReasoningChunk(index=0):
                self._reason(chunk.text, out)
                if chunk.signature:
                    self._close(out, chunk.signature)
            case StartChunk():
                self._id, self._model = self._id or chunk.id, self._model or chunk.model
                self._start(out)
            case UsageChunk():
                self._usage = chunk
            case FinishChunk():
                self._finish = chunk if chunk.index == 0 else self._finish
            case ThinkingCompleteChunk():
                if chunk.redacted or self._open is None or self._open.kind != "reasoning":
                    self._begin("reasoning", out)
                self._close(out, chunk.signature)
            case GroundingChunk():
                self._cite(chunk, out)
            case ErrorChunk():
                self._failed = True
                body = {"code": chunk.code or chunk.type, "message": chunk.message, "param": None}
                self._emit("error", body, out)
            case TextChunk() | ReasoningChunk() | ToolCallEndChunk():
                pass  # other choices; a call ends with its item
            case _:
                fragment = self._calls.fragment(chunk)
                if fragment.choice == 0:
                    self._call(fragment, out)

    def _text(self, text: str, kind: str, out: list[bytes]) -> None:
        item = self._open
        if item is None or item.kind != kind:
            item = self._begin(kind, out)
        self._keep(item, text)
        name = "response.output_text.delta" if kind == "text" else "response.refusal.delta"
        self._emit(name, {**_place(item), "content_index": 0, "delta": text}, out)

    def _reason(self, text: str, out: list[bytes]) -> None:
        item = self._open
        if item is None or item.kind != "reasoning":
            item = self._begin("reasoning", out)
        if not item.texts:
            part = {"type": "summary_text", "text": ""}
            self._emit("response.reasoning_summary_part.added", {**_place(item), "summary_index": 0, "part": part}, out)
        self._keep(item, text)
        body = {**_place(item), "summary_index": 0, "delta": text}
        self._emit("response.reasoning_summary_text.delta", body, out)

    def _call(self, call: CallFragment, out: list[bytes]) -> None:
        item = self._open_calls.get(call.number)
        if item is None:
            self._start(out)
            self._close(out)
            item = self._open_calls[call.number] = self._new_item("call", call.id or "", call.name or "")
            self._added(item, self._call_item(item, "", "in_progress"), out)
        if call.arguments:
            self._keep(item, call.arguments)
            place = _place(item, self._item_id(item))
            self._emit("response.function_call_arguments.delta", {**place, "delta": call.arguments}, out)

    def _cite(self, chunk: GroundingChunk, out: list[bytes]) -> None:
        item = self._open
        if item is None or item.kind != "text":
            item = self._begin("text", out)
        for source in chunk.sources:
            body = annotation(source)
            place = {**_place(item), "content_index": 0, "annotation_index": len(item.annotations)}
            item.annotations.append(body)
            self._size += len(source.url) + len(source.title)
            self._emit("response.output_text.annotation.added", {**place, "annotation": body}, out)

    # ------------------------------------------------------------ items

    def _begin(self, kind: str, out: list[bytes]) -> _Item:
        self._start(out)
        self._close(out)
        item = self._open = self._new_item(kind)
        item.id = self._item_id(item)
        if kind == "reasoning":
            self._added(item, reasoning_item(self._response_id, item.index, ""), out)
            return item
        self._added(item, message_item(self._response_id, item.index, [], "in_progress"), out)
        part = message_part("", refusal=kind == "refusal")
        self._emit("response.content_part.added", {**_place(item), "content_index": 0, "part": part}, out)
        return item

    def _close_calls(self, out: list[bytes]) -> None:
        for item in self._open_calls.values():
            arguments = "".join(item.texts)
            place = _place(item, self._item_id(item))
            done = {**place, "name": item.name, "arguments": arguments}
            self._emit("response.function_call_arguments.done", done, out)
            self._done(item, self._call_item(item, arguments, "completed"), out)
        self._open_calls.clear()

    def _close(self, out: list[bytes], signature: str | None = None) -> None:
        item, self._open = self._open, None
        if item is None:
            return
        text = "".join(item.texts)
        if item.kind == "reasoning":
            if item.texts:
                place = {**_place(item), "summary_index": 0}
                self._emit("response.reasoning_summary_text.done", {**place, "text": text}, out)
                summary = {"type": "summary_text", "text": text}
                self._emit("response.reasoning_summary_part.done", {**place, "part": summary}, out)
            self._done(item, reasoning_item(self._response_id, item.index, text, signature), out)
            return
        place = {**_place(item), "content_index": 0}
        part: dict[str, Any] = message_part(text, refusal=item.kind == "refusal")
        if item.kind == "refusal":
            self._emit("response.refusal.done", {**place, "refusal": text}, out)
        else:
            part["annotations"] = item.annotations
            self._emit("response.output_text.done", {**place, "text": text, "logprobs": []}, out)
        self._emit("response.content_part.done", {**place, "part": part}, out)
        self._done(item, message_item(self._response_id, item.index, [part]), out)

    def _call_item(self, item: _Item, arguments: str, status: str) -> dict[str, Any]:
        return call_item(self._item_id(item), item.id, item.name, arguments, status)

    def _added(self, item: _Item, body: dict[str, Any], out: list[bytes]) -> None:
        self._emit("response.output_item.added", {"output_index": item.index, "item": body}, out)

    def _done(self, item: _Item, body: dict[str, Any], out: list[bytes]) -> None:
        self._output.append((item.index, body))
        self._emit("response.output_item.done", {"output_index": item.index, "item": body}, out)

    def _new_item(self, kind: str, item_id: str = "", name: str = "") -> _Item:
        item = _Item(kind, self._items, item_id, name)
        self._items += 1
        return item

    def _item_id(self, item: _Item) -> str:
        prefix = {"call": "fc", "reasoning": "rs"}.get(item.kind, "msg")
        return f"{prefix}_{self._response_id}_{item.index}"

    def _keep(self, item: _Item, text: str) -> None:
        self._size += len(text)
        if self._size > self._max_bytes:
            raise BodyTooLargeError(self._max_bytes, self._size, "OpenAIResponsesEncoder(max_bytes=...)")
        item.texts.append(text)

    # ------------------------------------------------------------ envelope

    @property
    def _response_id(self) -> str:
        return self._id or "resp_0"

    def _start(self, out: list[bytes]) -> None:
        if not self._started:
            self._started = True
            self._emit("response.created", {"response": self._response("in_progress")}, out)
            self._emit("response.in_progress", {"response": self._response("in_progress")}, out)

    def _response(self, status: str) -> dict[str, Any]:
        output = [body for _, body in sorted(self._output, key=lambda entry: entry[0])]
        return response_body(self._response_id, self._model or "unknown", self._created, status, output)

    def _emit(self, kind: str, body: dict[str, Any], out: list[bytes]) -> None:
        out.append(sse({"type": kind, "sequence_number": self._sequence, **body}, kind))
        self._sequence += 1


def _place(item: _Item, item_id: str | None = None) -> dict[str, Any]:
    return {"item_id": item_id or item.id, "output_index": item.index}
