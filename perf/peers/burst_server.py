"""A server of bursts: it answers every chat or messages request with one whole stream, at once. Prints its URL.

Stands in for a fast model behind a proxy that coalesces: each read of a client brings tens of kilobytes. It ends when
its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop


def chat(chunks: int) -> bytes:
    """A chunked response with as many text chunks as asked for, as of OpenAI."""
    base = {"id": "chatcmpl-burst", "object": "chat.completion.chunk", "created": 1, "model": "fake-model"}
    events = [
        {**base, "choices": [{"index": 0, "delta": {"content": f"word{number} "}, "finish_reason": None}]}
        for number in range(chunks)
    ]
    events.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    lines = [b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n" for event in events]
    lines.append(b"data: [DONE]\n\n")
    return chunked(lines)


def messages(chunks: int) -> bytes:
    """A chunked response with as many text events as asked for, as of Anthropic."""
    message = {"id": "msg_burst", "type": "message", "role": "assistant", "model": "fake-model", "content": []}
    usage = {"input_tokens": 1, "output_tokens": 1}
    events = [
        {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f"word{number} "}}
            for number in range(chunks)
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    return chunked(
        [f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n".encode() for event in events]
    )


def chunked(lines: list[bytes]) -> bytes:
    """The whole response."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(line), line) for line in lines) + b"0\r\n\r\n"


class Burst(asyncio.Protocol):
    """Answers a request once its body is there."""

    answers: tuple[bytes, bytes] = (b"", b"")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with nothing received."""
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        """Collect the request; answer it when it is whole."""
        self.received += data
        head, end, rest = self.received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if end and len(rest) >= length:
            self.received = b""
            self.transport.write(self.answers[head.startswith(b"POST /v1/messages")])


async def main() -> None:
    chunks = int(sys.argv[1])
    Burst.answers = chat(chunks), messages(chunks)
    server = await asyncio.get_running_loop().create_server(Burst, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
