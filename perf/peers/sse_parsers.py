"""Each Python peer's event parser, called as its own client calls it: pieces of bytes in, every event's text read.

A function takes the pieces and returns the characters of data that it saw, so that nobody may be lazy about the text.
Imports are inside the functions: whoever has a peer can run it, in the tests' environment or in .venv-peers.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence


def httpx_sse(pieces: Sequence[bytes]) -> int:
    from httpx_sse._decoders import SSEDecoder, SSELineDecoder

    text, lines, events = codecs.getincrementaldecoder("utf-8")("replace"), SSELineDecoder(), SSEDecoder()
    characters = 0
    for piece in pieces:
        for line in lines.decode(text.decode(piece)):
            event = events.decode(line.rstrip("\n"))
            if event is not None:
                characters += len(event.data)
    return characters


def httpx2(pieces: Sequence[bytes]) -> int:
    from httpx2._sse import _SSEParser

    text, parser = codecs.getincrementaldecoder("utf-8")("replace"), _SSEParser()
    return sum(len(event.data) for piece in pieces for event in parser.decode(text.decode(piece)))


def openai(pieces: Sequence[bytes]) -> int:
    from openai._streaming import SSEDecoder

    return sum(len(event.data) for event in SSEDecoder().iter_bytes(iter(pieces)))


def anthropic(pieces: Sequence[bytes]) -> int:
    from anthropic._streaming import SSEDecoder

    return sum(len(event.data) for event in SSEDecoder().iter_bytes(iter(pieces)))


def sseclient_py(pieces: Sequence[bytes]) -> int:
    from sseclient import SSEClient

    class Source:
        """What the client asks of a response: to be iterated and closed."""

        def __iter__(self):
            return iter(pieces)

        def close(self):
            pass

    return sum(len(event.data) for event in SSEClient(Source()).events())


PARSERS: dict[str, Callable[[Sequence[bytes]], int]] = {
    "httpx-sse": httpx_sse,
    "httpx2": httpx2,
    "openai": openai,
    "anthropic": anthropic,
    "sseclient-py": sseclient_py,
}
