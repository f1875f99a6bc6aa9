"""Made-up images in requests: PNG files of a given size as data URLs, in each wire API's own shape.

Invariants: the same seed and number give the same image; images differ from one another, so that no server finds them
in a cache; pixels are noise, which no format compresses, so bytes on the wire are those of the size asked for.
Cost: one compression of the pixels an image (about 3 ms for 256 by 256), part of making the request, before its send.
"""

from __future__ import annotations

import base64
import random
import struct
import zlib
from typing import TYPE_CHECKING, Any, Final

from streamarena.errors import ConfigurationError
from streamarena.load.requests import LoadRequest, as_load_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamarena.load.requests import Conversation, RequestSource

__all__ = ["WithImages", "png"]

_MOST_PIXELS: Final = 4096 * 4096


class WithImages:
    """A request source that puts images behind the text of another source's requests.

    Args:
        source: makes the requests. width, height: pixels of each image. count: images a request.
        api: the wire API of the bodies. seed: of the pixels.

    Raises:
        ConfigurationError: sizes or an API that cannot be used.
    """

    def __init__(
        self, source: RequestSource, width: int, height: int, *, count: int = 1, api: str = "openai-chat", seed: int = 0
    ) -> None:
        if width < 1 or height < 1 or width * height > _MOST_PIXELS or count < 1:
            raise ConfigurationError("images have 1 to 4096 * 4096 pixels, and there is at least one")
        if api not in _PUT:
            raise ConfigurationError(f"images can be sent to {', '.join(_PUT)}, not to {api!r}")
        self._source = source
        self._size = width, height
        self._count = count
        self._put = _PUT[api]
        self._seed = seed

    def __call__(self, number: int) -> LoadRequest | Conversation:
        """Return the request of a number, with its images."""
        made = as_load_request(self._source(number))
        if not isinstance(made, LoadRequest) or isinstance(made.body, bytes):
            raise ConfigurationError("images can be added to single requests whose bodies are mappings")
        images = [self._image(number, position) for position in range(self._count)]
        return LoadRequest(
            self._put(made.body, images), made.headers, made.path, input_tokens=made.input_tokens, label=made.label
        )

    def _image(self, number: int, position: int) -> str:
        source = random.Random(f"{self._seed}/image/{number}/{position}")  # noqa: S311 - repeatable, not secret
        return base64.b64encode(png(*self._size, source)).decode()


def png(width: int, height: int, source: random.Random) -> bytes:
    """Return a PNG file of noise (8 bits a channel, RGB; ISO/IEC 15948)."""
    row = width * 3
    pixels = source.randbytes(row * height)
    lines = b"".join(b"\0" + pixels[start : start + row] for start in range(0, len(pixels), row))

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(lines, 1)) + part(b"IEND", b"")


def _last_user(messages: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    copied = [dict(message) for message in messages]
    return copied, next(message for message in reversed(copied) if message["role"] == "user")


def _chat(body: Mapping[str, Any], images: list[str]) -> dict[str, Any]:
    messages, last = _last_user(body["messages"])
    parts = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}} for image in images]
    last["content"] = [{"type": "text", "text": last["content"]}, *parts]
    return {**body, "messages": messages}


def _responses(body: Mapping[str, Any], images: list[str]) -> dict[str, Any]:
    messages, last = _last_user(body["input"])
    parts = [{"type": "input_image", "image_url": f"data:image/png;base64,{image}"} for image in images]
    last["content"] = [{"type": "input_text", "text": last["content"]}, *parts]
    return {**body, "input": messages}


def _anthropic(body: Mapping[str, Any], images: list[str]) -> dict[str, Any]:
    messages, last = _last_user(body["messages"])
    parts = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": image}} for image in images
    ]
    last["content"] = [{"type": "text", "text": last["content"]}, *parts]
    return {**body, "messages": messages}


def _gemini(body: Mapping[str, Any], images: list[str]) -> dict[str, Any]:
    contents, last = _last_user(body["contents"])
    last["parts"] = [*last["parts"], *({"inlineData": {"mimeType": "image/png", "data": image}} for image in images)]
    return {**body, "contents": contents}


_PUT: Final[dict[str, Callable[[Mapping[str, Any], list[str]], dict[str, Any]]]] = {
    "openai-chat": _chat,
    "openai-responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
}
