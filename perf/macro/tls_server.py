"""A server for the measurements of TLS: streams that are held open, one burst for all of them, and tiny answers.

python -m perf.macro.tls_server [PEM]     with a key and certificate chain it serves TLS. Prints its port.

What is asked for stands in the path: /hold answers with one event and keeps the stream open; /burst sends 512 kB of
events to every stream held; /tiny is a whole answer of three events. It ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys

BURST_BYTES = 512 * 1024
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_BASE = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "fake-model"}


def event(text: str, finish: str | None = None) -> bytes:
    """One event, as one chunk of the body."""
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    data = b"data: " + json.dumps({**_BASE, "choices": [choice]}, separators=(",", ":")).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


ONE = event("a word or two ")
BURST_EVENTS = BURST_BYTES // len(ONE)
TINY = HEAD + event("hello") + event("", "stop") + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Held(asyncio.Protocol):
    """One connection."""

    held: set[asyncio.Transport] = set()  # noqa: RUF012 - of the whole server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with nothing received."""
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        """Answer a request once its body is there."""
        self.received += data
        head, end, rest = self.received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if not end or len(rest) < length:
            return
        self.received = b""
        if b" /tiny" in head:
            self.transport.write(TINY)
        elif b" /hold" in head:
            self.held.add(self.transport)
            self.transport.write(HEAD + ONE)
        else:
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            for transport in self.held:
                transport.write(ONE * BURST_EVENTS)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget it."""
        del error
        self.held.discard(self.transport)


async def main() -> None:
    context = None
    if len(sys.argv) > 1:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[1])
    server = await asyncio.get_running_loop().create_server(Held, "127.0.0.1", 0, backlog=1024, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
