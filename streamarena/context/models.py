"""The registry of models: context windows, output limits, prices and flags, by id.

Invariants: a look-up never fails, it says `known=False` instead; a registry is immutable, overrides make a new one;
rows of one id stand together in the file, the first is what a bare id means. Three answers for an unknown id, as in the
reference (section 4.2): a provider with a fixed table falls back to its default model and that model's limits;
Bedrock guesses from patterns; anything else gets the defaults for OpenAI-compatible endpoints.

Cost: the file (64 kB) is read and indexed on first use, under 3 ms and 200 kB; a row is decoded on its first look-up
and kept, later look-ups are one dictionary access.
Not here: how a limit becomes a request parameter (`parameters.py`), and asking a provider for its live list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from streamarena.context._model_file import read_models
from streamarena.context._model_rules import (
    ALIASES,
    BEDROCK_DEFAULTS,
    BEDROCK_PATTERNS,
    BRIDGES,
    DEFAULT_MODELS,
    LONG_CONTEXT,
    PREFIXES,
    SANE_DEFAULTS,
)

__all__ = ["ModelInfo", "ModelRegistry", "Snapshot", "default_registry", "model_info"]

Snapshot: TypeAlias = Literal["kilo-4.88", "roo-3.28", "kilo-5.16", "roo-3.52"]
_SNAPSHOT_COLUMN: Final = {"kilo-4.88": 0, "roo-3.28": 1, "kilo-5.16": 2, "roo-3.52": 3}
_CLASSIC: Final = frozenset({"kilo-4.88", "roo-3.28"})
_VERSION: Final = re.compile(r"[-@](?:latest|\d{6,8}|\d{4}-\d\d-\d\d|v\d+(?:[:.]\d+)*)")  # the same model, dated
_ENDS: Final = frozenset("-:@.")  # what may follow a model's name within a longer id
_KEPT_LOOKUPS: Final = 256  # decoded rows kept, some 400 bytes each; a process uses a handful
_DATED: Final = re.compile(r"[-@](?:\d{8}|\d{4}-\d{2}-\d{2}|latest|preview|exp|beta|v\d+(?::\d+)?)$")


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of one model at one provider.

    Attributes:
        id: the model's id in its table; for a fallback, the id of the model that stands in.
        provider: the table it comes from, "custom" where there is none.
        context_window: tokens of input and output together.
        max_output_tokens: tokens; -1 means "not set", None unknown.
        input_price, output_price, cache_writes_price, cache_reads_price: US dollars for a million tokens.
        known: False where the id asked for is in no table and a fallback answered.
    """

    id: str
    provider: str = "custom"
    context_window: int = 128_000
    max_output_tokens: int | None = -1
    supports_images: bool = True
    supports_prompt_cache: bool = False
    supports_reasoning_budget: bool = False
    required_reasoning_budget: bool = False
    supports_reasoning_effort: bool | tuple[str, ...] | None = None
    default_reasoning_effort: str | None = None
    input_price: float | None = None
    output_price: float | None = None
    cache_writes_price: float | None = None
    cache_reads_price: float | None = None
    tier_context_windows: tuple[int, ...] = ()
    default_temperature: float | None = None
    max_thinking_tokens: int | None = None
    known: bool = True

    def with_long_context(self) -> ModelInfo:
        """Return this model with the 1M-token window switched on; unchanged where the model has no such window.

        Window and prices are those of the long-context tier (header `context-1m-2025-08-07`): 1,000,000 tokens, input
        and cache prices doubled, output half as much again (Anthropic's price list for requests over 200,000 tokens).
        """
        if 1_000_000 not in self.tier_context_windows or self.context_window >= 1_000_000:
            return self
        prices = {name: _times(getattr(self, name), factor) for name, factor in LONG_CONTEXT.items()}
        return msgspec.structs.replace(self, context_window=1_000_000, **prices)


class _Row(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One line of the registry file; the columns of `_compile_models.COLUMNS`."""

    provider: str
    id: str
    context_window: int
    max_output_tokens: int | None
    supports_images: int
    supports_prompt_cache: int
    supports_reasoning_budget: int
    required_reasoning_budget: int
    supports_reasoning_effort: bool | tuple[str, ...] | None
    default_reasoning_effort: str | None = None
    input_price: float | None = None
    output_price: float | None = None
    cache_writes_price: float | None = None
    cache_reads_price: float | None = None
    tier_context_windows: tuple[int, ...] | None = None
    snapshots: tuple[int | tuple[int, int | None], ...] | int | None = None
    default_temperature: float | None = None
    max_thinking_tokens: int | None = None


_DECODER: Final = msgspec.json.Decoder(_Row)


class ModelRegistry:
    """Models by id; immutable.

    Args:
        data: the registry file's bytes; by default the file that ships with this package.
        overrides: models of the user's own by exact id; they win over every table.
        aliases: further names, each for an id of a table or of `overrides`.
    """

    def __init__(
        self,
        data: bytes | None = None,
        *,
        overrides: Mapping[str, ModelInfo] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self._data = Path(__file__).with_name("models.jsonl").read_bytes() if data is None else data
        self._first = _index(self._data)
        self._overrides = dict(overrides or {})
        self._aliases = {**ALIASES, **(aliases or {})}
        self._kept: dict[tuple[str, str | None, str | None], ModelInfo] = {}

    def __len__(self) -> int:
        """Return how many models the tables hold, overrides included."""
        return self._data.count(b"\n") + len(self._overrides)

    def __iter__(self) -> Iterator[ModelInfo]:
        """Yield every model, overrides first, then by id."""
        yield from self._overrides.values()
        for line in self._data.splitlines():
            info = _info(_DECODER.decode(line), None)
            if info is not None:
                yield info

    def get(self, model_id: str, provider: str | None = None, snapshot: Snapshot | None = None) -> ModelInfo:
        """Return what is known of a model; never fails.

        Args:
            model_id: as the provider or gateway spells it. Without a provider, aliases, gateway prefixes
                ("openai/", "us."), date suffixes and prefixes of known ids are tried; with one, only its own table.
            provider: a table's name, such as "anthropic" or "openai-native".
            snapshot: the tables of one release instead of today's; a model that it did not have is unknown.

        Returns:
            The model; with `known=False` where a fallback of section 4.2 answered.
        """
        key = (model_id, provider, snapshot)
        found = self._kept.get(key)
        if found is None:
            found = self._look_up(model_id, provider, snapshot)
            if len(self._kept) >= _KEPT_LOOKUPS:
                self._kept.clear()
            self._kept[key] = found
        return found

    def with_toml(self, path: Path) -> ModelRegistry:
        """Return a registry with a user's TOML file laid over this one.

        Tables `[models."<id>"]` hold fields of `ModelInfo`, and optionally `like = "<id>"` to start from a known model;
        the table `[aliases]` maps names to ids.

        Raises:
            ConfigFileError: the file cannot be read, or holds a key that does not exist or a value that cannot be used.
        """
        overrides, aliases = read_models(path, ModelInfo, self.get)
        own = {**{k: v for k, v in self._aliases.items() if k not in ALIASES}, **aliases}
        return ModelRegistry(self._data, overrides={**self._overrides, **overrides}, aliases=own)

    def _look_up(self, model_id: str, provider: str | None, snapshot: Snapshot | None) -> ModelInfo:
        found = self._overrides.get(model_id) or self._exact(model_id, provider, snapshot)
        if found is not None:
            return found
        alias = self._aliases.get(model_id)
        if alias is not None:
            found = self._overrides.get(alias) or self._exact(alias, provider, snapshot)
            if found is not None:
                return found
        if provider is not None:
            return self._provider_fallback(model_id, provider, snapshot)
        for candidate in _candidates(model_id):
            found = self._exact(self._aliases.get(candidate, candidate), None, snapshot)
            if found is not None:
                return found
        return self._related(model_id, snapshot) or ModelInfo(id=model_id, known=False, **SANE_DEFAULTS)

    def _exact(self, model_id: str, provider: str | None, snapshot: Snapshot | None) -> ModelInfo | None:
        offset = self._first.get(model_id, -1)
        while offset >= 0:
            end = self._data.find(b"\n", offset)
            row = _DECODER.decode(self._data[offset:end])
            if row.id != model_id:
                return None
            if provider == row.provider or (provider is None and row.provider not in BRIDGES):
                info = _info(row, snapshot)
                if info is not None:
                    return info
            offset = end + 1 if end + 1 < len(self._data) else -1
        return None

    def _related(self, model_id: str, snapshot: Snapshot | None) -> ModelInfo | None:
        """Return the longest known id that starts the one asked for, else the newest that it starts."""
        for bare in _candidates(model_id):
            shorter = [known for known in self._first if bare.startswith(known) and bare[len(known) :][:1] in _ENDS]
            longer = [
                known for known in self._first if known.startswith(bare) and _VERSION.fullmatch(known[len(bare) :])
            ]
            for known in [*sorted(shorter, key=len, reverse=True), *sorted(longer, reverse=True)]:
                found = self._exact(known, None, snapshot)
                if found is not None:
                    return found
        return None

    def _provider_fallback(self, model_id: str, provider: str, snapshot: Snapshot | None) -> ModelInfo:
        if provider == "bedrock":
            lowered = model_id.lower()
            guess = next((limits for pattern, limits in BEDROCK_PATTERNS if pattern in lowered), BEDROCK_DEFAULTS)
            return ModelInfo(id=model_id, provider=provider, known=False, **guess)
        defaults = DEFAULT_MODELS.get(provider)
        default = defaults[0 if snapshot in _CLASSIC else 1] or defaults[0] if defaults else None
        found = self._exact(default, provider, snapshot) or self._exact(default, provider, None) if default else None
        if found is None and default is not None:
            found = self._look_up(default, None, snapshot)
        if found is None:
            return ModelInfo(id=model_id, provider=provider, known=False, **SANE_DEFAULTS)
        return msgspec.structs.replace(found, provider=provider, known=False)


@cache
def default_registry() -> ModelRegistry:
    """Return the registry that ships with this package; read on the first call, shared afterwards."""
    return ModelRegistry()


def model_info(
    model_id: str,
    provider: str | None = None,
    *,
    snapshot: Snapshot | None = None,
    long_context: bool = False,
    registry: ModelRegistry | None = None,
) -> ModelInfo:
    """Return what is known of a model; see `ModelRegistry.get`.

    Args:
        model_id: the model.
        provider: its table.
        snapshot: a release instead of today.
        long_context: switch the 1M-token window on where the model has one.
        registry: a registry of the caller's own; default the shipped one.
    """
    info = (registry or default_registry()).get(model_id, provider, snapshot)
    if not long_context or (snapshot in _CLASSIC and "sonnet-4" not in info.id):
        return info
    return info.with_long_context()


def _index(data: bytes) -> dict[str, int]:
    """Return the offset of the first row of each model id."""
    first: dict[str, int] = {}
    offset = 0
    for line in data.splitlines(keepends=True):
        first.setdefault(line.split(b'"', 4)[3].decode(), offset)
        offset += len(line)
    return first


def _info(row: _Row, snapshot: Snapshot | None) -> ModelInfo | None:
    window, limit = row.context_window, row.max_output_tokens
    if snapshot is not None:
        pair = row.snapshots[_SNAPSHOT_COLUMN[snapshot]] if isinstance(row.snapshots, tuple) else 0
        if pair == 0:
            return None
        if isinstance(pair, tuple):
            window, limit = pair
    return ModelInfo(
        id=row.id,
        provider=row.provider,
        context_window=window,
        max_output_tokens=limit,
        supports_images=bool(row.supports_images),
        supports_prompt_cache=bool(row.supports_prompt_cache),
        supports_reasoning_budget=bool(row.supports_reasoning_budget),
        required_reasoning_budget=bool(row.required_reasoning_budget),
        supports_reasoning_effort=row.supports_reasoning_effort,
        default_reasoning_effort=row.default_reasoning_effort,
        input_price=row.input_price,
        output_price=row.output_price,
        cache_writes_price=row.cache_writes_price,
        cache_reads_price=row.cache_reads_price,
        tier_context_windows=row.tier_context_windows or (),
        default_temperature=row.default_temperature,
        max_thinking_tokens=row.max_thinking_tokens,
    )


def _candidates(model_id: str) -> Iterator[str]:
    """Yield spellings of an id from the most to the least specific: without gateway prefix, dots, date suffix."""
    bare = model_id
    for prefix in PREFIXES:
        bare = bare.removeprefix(prefix)
    for name in dict.fromkeys([model_id, bare, bare.partition(":")[0], bare.rpartition("/")[2].partition(":")[0]]):
        undated = _DATED.sub("", name)
        yield from dict.fromkeys([name, name.replace(".", "-"), undated, undated.replace(".", "-")])


def _times(price: float | None, factor: float) -> float | None:
    return None if price is None else price * factor
