"""Counting tokens: of a text, of content blocks by the reference's rules, of a whole message for trimming.

Invariants: the factor 1.5 and the rounding are applied once, over the sum of a call, never per text, so cached raw
counts may be added (section 3); a count that is an estimate says so (`exact` is False). Special-token strings are
ordinary text. The cache is bounded in entries and in bytes and never changes a result.

Cost: a cached text is one dictionary look-up (Python keeps a string's hash); an uncached one is a full encoding, about
0.15 us a byte, outside the interpreter lock. Building the encoder takes some 0.3 s, once, on first use or in `load()`.
Not here: the vocabularies (`vocabulary.py`), and remote counting by a provider: pass a `count` callable to policies.
"""

from __future__ import annotations

import importlib
import math
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from streamarena.context._javascript import member_text, stringify, truthy
from streamarena.context.messages import Block, Message, block_type
from streamarena.context.vocabulary import load_encoding
from streamarena.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from streamarena.context.parameters import Generation

__all__ = ["estimate_tokens", "FUDGE_FACTOR", "Offload", "OFFLOAD_CHARACTERS", "TokenCounter", "UNKNOWN_IMAGE_TOKENS"]

FUDGE_FACTOR: Final = 1.5
"""What the reference multiplies a sum of tokens by, because no one tokenizer fits every model."""

UNKNOWN_IMAGE_TOKENS: Final = 300
OFFLOAD_CHARACTERS: Final = 32_768  # about 5 ms of encoding; below it a hop to a thread costs more than it saves

_REFERENCE_IMAGES: Final = frozenset({"image"})
_IMAGES: Final = frozenset({"image", "image_url", "input_image"})
# Members of a message, or of an item of OpenAI's Responses API, that reach the model beside its content.
_MORE_TEXTS: Final = frozenset(
    {
        *("tool_calls", "function_call", "arguments", "output", "input", "action", "code", "queries", "result"),
        *("actions", "operation", "tools"),
        *("summary", "reasoning", "reasoning_content", "encrypted_content", "refusal"),
    }
)
_OTHER_TEXTS: Final = frozenset({"input_text", "output_text"})

Offload: TypeAlias = Callable[[Callable[[], int]], Awaitable[int]]
"""Runs a function somewhere else and awaits its result, such as `asyncio.to_thread`."""


def estimate_tokens(text: str) -> int:
    """Return a quarter of the text's UTF-8 bytes, rounded up: the estimate where no vocabulary is at hand."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return -(-size // 4)


class TokenCounter:
    """Counts tokens with one encoding; an instance is meant to be shared and is safe between threads.

    Args:
        generation: whose rules `count_blocks` follows: "classic" counts only text and images, "native" tools too.
        encoding: "o200k_base" (the reference uses it for every model) or "cl100k_base".
        vocabulary: the vocabulary file, or a directory that holds it; default: see `vocabulary.find_vocabulary`.
        allow_download: let tiktoken fetch a vocabulary that is nowhere on this machine.
        tokenizer_file: a `tokenizer.json` of an open model, used instead (needs the library tokenizers).
        tokenize: a function from text to a number of tokens, used instead of all that.
        message_overhead: tokens added for each message by `counter(message)`, for role and separators.
        cache_entries, cache_bytes: bounds of the cache; the oldest entries go first. 0 entries: no cache.

    Attributes:
        hits, misses: of the cache, since the beginning.
    """

    def __init__(
        self,
        *,
        generation: Generation = "native",
        encoding: str = "o200k_base",
        vocabulary: Path | None = None,
        allow_download: bool = False,
        tokenizer_file: Path | None = None,
        tokenize: Callable[[str], int] | None = None,
        message_overhead: int = 4,
        cache_entries: int = 8192,
        cache_bytes: int = 16 * 2**20,
    ) -> None:
        self.generation: Generation = generation
        self.encoding = encoding
        self.message_overhead = message_overhead
        self.hits = self.misses = 0
        self._vocabulary = vocabulary
        self._allow_download = allow_download
        self._tokenizer_file = tokenizer_file
        self._tokenize = tokenize
        self._exact = tokenize is not None
        self._entries_limit = cache_entries
        self._bytes_limit = cache_bytes
        self._cache: dict[str, int] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def exact(self) -> bool:
        """Whether counts come from a real tokenizer; False: they are `estimate_tokens`. Loads the vocabulary."""
        self.load()
        return self._exact

    def load(self) -> None:
        """Build the encoder now rather than on first use; blocks for some 0.3 s the first time."""
        if self._tokenize is None:
            self._tokenize, self._exact = self._build()

    def count_text(self, text: str) -> int:
        """Return the tokens of one text, without any factor."""
        count = self._cache.get(text)
        if count is not None:
            self.hits += 1
            return count
        if not text:
            return 0
        self.load()
        assert self._tokenize is not None
        count = self._tokenize(text)
        self.misses += 1
        if self._entries_limit:
            self._keep(text, count)
        return count

    def count_blocks(self, blocks: Sequence[Block]) -> int:
        """Return the reference's count of content blocks: the sum times 1.5, rounded up once."""
        return math.ceil(self.raw_blocks(blocks) * FUDGE_FACTOR) if blocks else 0

    async def count_blocks_offloaded(self, blocks: Sequence[Block], offload: Offload) -> int:
        """Count as `count_blocks`, but encode large texts through `offload` so that an event loop is not held up.

        Args:
            blocks: the content.
            offload: runs a function elsewhere, such as `asyncio.to_thread`. When this coroutine is cancelled, an
                encoding that has begun runs to its end and warms the cache.
        """
        if sum(map(len, self._texts(blocks))) < OFFLOAD_CHARACTERS:
            return self.count_blocks(blocks)
        return await offload(lambda: self.count_blocks(blocks))

    def __call__(self, message: Message) -> int:
        """Return the tokens of one message, OpenAI- or Anthropic-style: raw, additive, with the message overhead."""
        total = self.message_overhead
        content = message.get("content")
        if type(content) is str:
            cached = self._cache.get(content)
            if cached is not None and _MORE_TEXTS.isdisjoint(message):
                self.hits += 1
                return total + cached
            total += self.count_text(content)
        elif isinstance(content, list | tuple):
            total += self.raw_blocks(cast(Sequence[Block], content), tools=True)
        calls = message.get("tool_calls")
        if isinstance(calls, list | tuple):
            for call in cast(Sequence[Mapping[str, Any]], calls):
                function: Mapping[str, Any] = call.get("function") or call.get("custom") or {}
                total += self.count_text(
                    f"{function.get('name')}\n{function.get('arguments') or function.get('input')}"
                )
        for key in _MORE_TEXTS.intersection(message):
            if key != "tool_calls" and (value := message[key]):
                total += self.count_text(value if isinstance(value, str) else stringify(value))
        return total

    def raw_blocks(self, blocks: Sequence[Block], *, tools: bool | None = None) -> int:
        """Return the tokens of content blocks without the factor.

        Args:
            blocks: the content.
            tools: count tool blocks and other APIs' blocks; default: exactly what the generation counts.
        """
        count = self.count_text
        images = _IMAGES if tools else _REFERENCE_IMAGES
        total = sum(_image_tokens(block) for block in blocks if block_type(block) in images)
        if tools:
            total += sum(_image_tokens(item) for block in blocks for item in _items_of_result(block))
        for text in self._texts(blocks, tools=tools):
            total += count(text)
        return total

    def _texts(self, blocks: Iterable[Block], *, tools: bool | None = None) -> list[str]:
        with_tools = self.generation == "native" if tools is None else tools
        texts: list[str] = []
        for block in blocks:
            kind = block_type(block)
            if kind == "text" or (tools and kind in _OTHER_TEXTS):
                texts.append(block.get("text") or "")
            elif with_tools and kind == "tool_use":
                texts.append(_tool_use_text(block))
            elif with_tools and kind == "tool_result":
                texts.append(_tool_result_text(block))
            elif tools and kind not in _IMAGES:  # no text is free: documents, thinking, calls of other kinds
                texts.append(stringify(block))
        return texts

    def _keep(self, text: str, count: int) -> None:
        size = len(text)
        if size > self._bytes_limit // 4:  # one text must not empty the cache
            return
        with self._lock:
            if text not in self._cache:
                self._cache[text] = count
                self._bytes += size
            while len(self._cache) > self._entries_limit or self._bytes > self._bytes_limit:
                oldest = next(iter(self._cache))
                del self._cache[oldest]
                self._bytes -= len(oldest)

    def _build(self) -> tuple[Callable[[str], int], bool]:
        if self._tokenizer_file is not None:
            return _from_tokenizer_file(self._tokenizer_file), True
        encoding = load_encoding(self.encoding, self._vocabulary, allow_download=self._allow_download)
        if encoding is None:
            return estimate_tokens, False
        encode = encoding.encode_ordinary
        return lambda text: len(encode(text)), True


def _image_tokens(block: Block) -> int:
    source = block.get("source")
    if isinstance(source, Mapping) and "data" in source:
        return math.ceil(math.sqrt(len(str(cast(Mapping[str, Any], source)["data"]))))
    url = block.get("image_url")
    address = cast(Mapping[str, Any], url).get("url") if isinstance(url, Mapping) else url
    if isinstance(address, str) and address.startswith("data:"):
        return math.ceil(math.sqrt(len(address.partition(",")[2])))
    return UNKNOWN_IMAGE_TOKENS


def _items_of_result(block: Block) -> list[Block]:
    """Return the images inside a tool's result."""
    content = block.get("content") if block_type(block) == "tool_result" else None
    items = cast(Sequence[Block], content) if isinstance(content, list | tuple) else ()
    return [item for item in items if block_type(item) in _IMAGES]


def _tool_use_text(block: Block) -> str:
    parts = [f"Tool: {member_text(block, 'name')}"]
    if "input" in block:
        parts.append(f"Arguments: {stringify(block['input'])}")
    return "\n".join(parts)


def _tool_result_text(block: Block) -> str:
    parts = [f"Tool Result ({member_text(block, 'tool_use_id')})"]
    if truthy(block.get("is_error")):
        parts.append("[Error]")
    content = block.get("content")
    if isinstance(content, str):
        parts.append(content)
    elif isinstance(content, list | tuple):
        parts.extend(_result_item_text(item) for item in cast(Sequence[Block], content))
    return "\n".join(parts)


def _result_item_text(item: Block) -> str:
    kind = block_type(item)
    if kind == "text":
        return str(item.get("text") or "")
    return "[Image content]" if kind == "image" else f"[Unsupported content block: {member_text(item, 'type')}]"


def _from_tokenizer_file(path: Path) -> Callable[[str], int]:
    try:
        tokenizers: Any = importlib.import_module("tokenizers")  # optional, heavy, and without types
    except ImportError as error:
        raise MissingExtraError("tokenizers", "tokenizers", "counting with a tokenizer file") from error
    try:
        encode = tokenizers.Tokenizer.from_file(str(path)).encode
    except Exception as error:
        raise ConfigurationError(f"{path}: {error}") from error
    return lambda text: len(encode(text, add_special_tokens=False).ids)
