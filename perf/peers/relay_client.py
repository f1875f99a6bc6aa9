"""What reads through the relays: bare protocols on uvloop that note when the first byte of a body came.

For each request line `{"url", "streams", "model", "key", "spread"}` it answers `{"bytes", "first_ms"}`: bytes of all
bodies, and for each stream the milliseconds from its request to the first byte behind the header. Connections are made
anew each time, all at once or spread over so many seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from urllib.parse import urlsplit

import uvloop


class Reader(asyncio.BufferedProtocol):
    """Sends one request and looks at nothing but the end of the header and of the body."""

    shared = memoryview(bytearray(65536))

    def __init__(self, request: bytes, end: asyncio.Future[None]) -> None:
        self.request = request
        self.end = end
        self.head = bytearray()
        self.first = 0.0
        self.bytes = 0
        self.tail = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Ask."""
        self.transport = transport
        self.sent = time.perf_counter()
        transport.write(self.request)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the one buffer."""
        del sizehint
        return self.shared

    def buffer_updated(self, nbytes: int) -> None:
        """Count."""
        if not self.first:
            self.head += self.shared[:nbytes]
            place = self.head.find(b"\r\n\r\n")
            if place < 0 or len(self.head) == place + 4:
                return
            if not self.head.startswith(b"HTTP/1.1 200"):
                self.end.set_exception(RuntimeError(bytes(self.head[:300]).decode("latin-1")))
                return
            self.first = time.perf_counter()
            nbytes = len(self.head) - place - 4
            self.tail = bytes(self.head[-7:])
        else:
            self.tail = (self.tail + bytes(self.shared[max(0, nbytes - 7) : nbytes]))[-7:]
        self.bytes += nbytes
        if self.tail.endswith(b"\r\n0\r\n\r\n") and not self.end.done():
            self.end.set_result(None)
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """A stream that ends early is a mistake of the bench."""
        if not self.end.done():
            self.end.set_exception(RuntimeError(f"cut after {self.bytes} bytes: {exc}"))


async def read(url: str, streams: int, model: str, key: str, spread: float) -> dict[str, object]:
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    asked = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Tell me a story."}]}
    body = json.dumps(asked).encode()
    fields = f"host: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    request = f"POST /v1/chat/completions HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body
    readers = [Reader(request, loop.create_future()) for _ in range(streams)]
    for reader in readers:
        await loop.create_connection(lambda reader=reader: reader, parts.hostname, parts.port)
        if spread:
            await asyncio.sleep(spread / streams)
    await asyncio.gather(*(reader.end for reader in readers))
    first = [(reader.first - reader.sent) * 1000 for reader in readers]
    return {"bytes": sum(reader.bytes for reader in readers), "first_ms": first}


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            print(json.dumps(runner.run(read(**json.loads(line)))), flush=True)
