"""How the fake model replies: the settings, and the one small grammar by which a request changes them.

A request may override any setting of the server, in the header `x-fake-llm` or behind the first comma of its model
name: `"fake-model,tokens=20,ttft=normal:0.5:0.1,fault=cut@5"`. Later pairs win, and the header wins over the name.

Invariants: settings are immutable; an unknown name or a bad value raises `ConfigurationError`, which a server answers
with status 400, so that a typing error never becomes a silent default.
Not here: what the faults do (`faults.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypedDict

import msgspec

from streamarena.errors import ConfigurationError
from streamarena.testing.distributions import Distribution, DistributionLike, parse_distribution
from streamarena.testing.faults import Fault, parse_fault

__all__ = ["FakeLLMOptions", "ReplyOptions", "ReplySettings", "parse_pairs", "reply_settings"]


class ReplySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What one reply is like.

    Args:
        ttft: from the end of prefill to the first content, seconds.
        inter_token_latency: between tokens, seconds; a chunk of n tokens takes n times as long.
        tokens: length of the answer, tokens; the request's own limit cuts it.
        tokens_per_chunk: tokens in one content frame; at least 1.
        reasoning_tokens: tokens of reasoning before the answer.
        tool_calls: how many calls follow the answer; their names and arguments fit the request's `tools`.
        text: the answer itself instead of seeded words; `tokens` is then unused.
        error_text: message of injected errors.
        seed: makes this reply the same each time; None means that the server's seed and the request's number decide.
        usage: False never reports token counts.
        ping: seconds between keep-alive pings before the first content; 0 means none.
        fault: what goes wrong; None means nothing.
    """

    ttft: Distribution = Distribution("fixed", 0.05)
    inter_token_latency: Distribution = Distribution("fixed", 0.01)
    tokens: Distribution = Distribution("fixed", 64)
    tokens_per_chunk: Distribution = Distribution("fixed", 1)
    reasoning_tokens: Distribution = Distribution("fixed", 0)
    tool_calls: int = 0
    text: str | None = None
    error_text: str = "injected by FakeLLM"
    seed: int | None = None
    usage: bool = True
    ping: float = 0.0
    fault: Fault | None = None

    def override(self, pairs: dict[str, str]) -> ReplySettings:
        """Return these settings with some replaced by texts, as a request gives them.

        Raises:
            ConfigurationError: an unknown name or an unusable value.
        """
        changes: dict[str, Any] = {}
        for name, text in pairs.items():
            full = _SHORT.get(name, name)
            kind = _KINDS.get(full)
            if kind is None:
                raise ConfigurationError(f"unknown reply setting {name!r}; known: {', '.join(_KINDS)}")
            changes[full] = _read(kind, name, text)
        return msgspec.structs.replace(self, **changes) if changes else self


_SHORT: Final = {"itl": "inter_token_latency", "reasoning": "reasoning_tokens", "tools": "tool_calls"}

_DISTRIBUTIONS: Final = ("ttft", "inter_token_latency", "tokens", "tokens_per_chunk", "reasoning_tokens")

_KINDS: Final[dict[str, str]] = {
    **dict.fromkeys(_DISTRIBUTIONS, "distribution"),
    "tool_calls": "int",
    "text": "str",
    "error_text": "str",
    "seed": "int",
    "usage": "bool",
    "ping": "float",
    "fault": "fault",
}


def reply_settings(
    *,
    ttft: DistributionLike = 0.05,
    inter_token_latency: DistributionLike = 0.01,
    tokens: DistributionLike = 64,
    tokens_per_chunk: DistributionLike = 1,
    reasoning_tokens: DistributionLike = 0,
    tool_calls: int = 0,
    text: str | None = None,
    seed: int | None = None,
    usage: bool = True,
    ping: float = 0.0,
    fault: str | Fault | None = None,
) -> ReplySettings:
    """Make settings from plain values; see `ReplySettings` for what they mean."""
    return ReplySettings(
        ttft=parse_distribution(ttft),
        inter_token_latency=parse_distribution(inter_token_latency),
        tokens=parse_distribution(tokens),
        tokens_per_chunk=parse_distribution(tokens_per_chunk),
        reasoning_tokens=parse_distribution(reasoning_tokens),
        tool_calls=tool_calls,
        text=text,
        seed=seed,
        usage=usage,
        ping=ping,
        fault=parse_fault(fault) if isinstance(fault, str) else fault,
    )


def parse_pairs(text: str) -> dict[str, str]:
    """Read `name=value` pairs between commas.

    Raises:
        ConfigurationError: a part without an equals sign.
    """
    pairs: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals:
            raise ConfigurationError(f"{part!r} is not of the form name=value")
        pairs[name.strip()] = value.strip()
    return pairs


def _read(kind: str, name: str, text: str) -> object:
    """Turn a text into a value of one of the kinds of `_KINDS`."""
    if kind == "distribution":
        return parse_distribution(text)
    if kind == "fault":
        return parse_fault(text)
    if kind == "bool":
        return text.lower() not in {"0", "false", "no", "off"}
    try:
        return {"int": int, "float": float, "str": str}[kind](text)
    except ValueError:
        raise ConfigurationError(f"{name}={text!r} is not a number") from None


class ReplyOptions(TypedDict, total=False):
    """What replies are like; see `ReplySettings` for meanings, units and defaults."""

    ttft: DistributionLike
    inter_token_latency: DistributionLike
    tokens: DistributionLike
    tokens_per_chunk: DistributionLike
    reasoning_tokens: DistributionLike
    tool_calls: int
    text: str | None
    usage: bool
    ping: float
    fault: str | Fault | None


class FakeLLMOptions(ReplyOptions, total=False):
    """Options of the server that also travel to another process.

    Attributes:
        host, port: where to listen; port 0 takes a free one. Default `127.0.0.1`, 0.
        seed: of texts, lengths, delays and faults. Default 0.
        models: what `/v1/models` lists; any other name is answered too. Default `("fake-model",)`.
        faults: shares of requests by fault, as `{"cut@5": 0.01, "status:429": 0.02}`; drawn by seed.
        api_key: if given, requests without it get status 401.
        slots, max_queue, prefill_tokens_per_second, batch_slowdown: see `ServiceQueue`.
        max_connections: further ones are dropped at once. Default 65,536.
        max_body_bytes: largest request body. Default 64 MiB.
        keep_records: finished requests kept with their stamps. Default 1,000.
    """

    host: str
    port: int
    seed: int
    models: tuple[str, ...]
    faults: Mapping[str, float]
    api_key: str | None
    slots: int | None
    max_queue: int
    prefill_tokens_per_second: float | None
    batch_slowdown: float
    max_connections: int
    max_body_bytes: int
    keep_records: int
