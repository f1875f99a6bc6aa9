"""A server of bursts: it answers every chat request with one whole stream, written at once. Prints its URL.

Stands in for a fast model behind a proxy that coalesces: each read of a client brings tens of kilobytes. It ends when
its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop


def body(chunks: int) -> bytes:
    """One chunked response with as many text chunks as asked for."""
    base = {"id": "chatcmpl-burst", "object": "chat.completion.chunk", "created": 1, "model": "fake-model"}
    events = [
        {**base, "choices": [{"index": 0, "delta": {"content": f"word{number} "}, "finish_reason": None}]}
        for number in range(chunks)
    ]
    events.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    lines = [b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n" for event in events]
    lines.append(b"data: [DONE]\n\n")
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(line), line) for line in lines) + b"0\r\n\r\n"


class Burst(asyncio.Protocol):
    """Answers a request once its body is there."""

    answer = b""

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
            self.transport.write(self.answer)


async def main() -> None:
    Burst.answer = body(int(sys.argv[1]))
    server = await asyncio.get_running_loop().create_server(Burst, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
