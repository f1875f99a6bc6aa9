"""What the encoders share: JSON that never fails, framing, tool calls made whole, cache tokens in or out of input."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import orjson

from streamarena.errors import BodyTooLargeError
from streamarena.providers.calls import CallChunk, CallNumbers
from streamarena.providers.chunks import UsageChunk  # noqa: TC001 - annotations stay readable at run time
from streamarena.providers.json_values import is_array, is_object, read_exactly

__all__ = ["WholeCall", "WholeCalls", "dump", "input_with_cache", "input_without_cache", "sse", "tool_input"]


def dump(value: object) -> bytes:
    """Return JSON bytes; a lone surrogate becomes U+FFFD, as any JSON reader would have it."""
    try:
        return orjson.dumps(value)
    except TypeError:  # a lone surrogate, or an integer beyond 64 bits, which msgspec writes
        return msgspec.json.encode(_without_surrogates(value))


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if is_object(value):
        return {_without_surrogates(key): _without_surrogates(member) for key, member in value.items()}
    if is_array(value):
        return [_without_surrogates(member) for member in value]
    return value


def sse(body: object, event: str | None = None) -> bytes:
    """Return one server-sent event; JSON has no raw line ends, so one `data` line holds it."""
    name = b"event: " + event.encode() + b"\n" if event else b""
    return name + b"data: " + dump(body) + b"\n\n"


def tool_input(arguments: str) -> dict[str, Any]:
    """Return arguments as the object that some wires want; text that is not an object is wrapped, never lost."""
    try:
        value: object = read_exactly(arguments) if arguments.strip() else {}
    except msgspec.DecodeError:
        value = None
    return value if is_object(value) else {"_raw": arguments}


def input_with_cache(usage: UsageChunk) -> int:
    """Return input tokens in the sense of OpenAI and Gemini: those read from or written to a cache are among them."""
    if usage.cache_in_input:
        return usage.input_tokens
    return usage.input_tokens + (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0)


def input_without_cache(usage: UsageChunk) -> int:
    """Return input tokens in the sense of Anthropic: those read from or written to a cache come on top."""
    if not usage.cache_in_input:
        return usage.input_tokens
    return max(usage.input_tokens - (usage.cache_read_tokens or 0) - (usage.cache_write_tokens or 0), 0)


class WholeCall(NamedTuple):
    """A call whose fragments have all come."""

    choice: int
    id: str
    name: str
    arguments: str
    signature: str | None


class WholeCalls:
    """Holds fragments back for the wires on which a call comes whole.

    Args:
        max_bytes: characters held at most.
        setting: what raises that limit, for the error.
    """

    def __init__(self, max_bytes: int, setting: str) -> None:
        self._max_bytes = max_bytes
        self._setting = setting
        self._size = 0
        self._numbers = CallNumbers()
        self._held: dict[tuple[int, int], tuple[str, str, list[str], str | None]] = {}

    def add(self, chunk: CallChunk, signature: str | None = None) -> None:
        """Take a fragment.

        Args:
            chunk: the fragment.
            signature: what the provider signed this call with, if this is its first fragment.

        Raises:
            BodyTooLargeError: more than `max_bytes` are held.
        """
        fragment = self._numbers.fragment(chunk)
        key = (fragment.choice, fragment.number)
        call_id, name, pieces, signed = self._held.get(key, ("", "", [], signature))
        pieces.append(fragment.arguments)
        self._held[key] = (call_id or fragment.id or "", name or fragment.name or "", pieces, signed)
        self._size += len(fragment.arguments)
        if self._size > self._max_bytes:
            raise BodyTooLargeError(self._max_bytes, self._size, self._setting)

    def take(self) -> list[WholeCall]:
        """Return the calls that are held, in the order in which they began, and hold nothing more."""
        if not self._held:
            return []
        calls = [
            WholeCall(choice, call_id, name, "".join(pieces), signed)
            for (choice, _), (call_id, name, pieces, signed) in self._held.items()
        ]
        self._held.clear()
        self._size = 0
        return calls
