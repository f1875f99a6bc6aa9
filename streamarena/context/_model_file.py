"""A user's own models in TOML: read, checked key by key, and turned into overrides and aliases.

Tables `[models."<id>"]` hold fields of `ModelInfo`, and optionally `like = "<id>"` to start from a known model; the
table `[aliases]` maps names to ids.
Invariant: a file is taken whole or not at all, and every error names the file and the key.

Cost: one parse. Not here: where the file is, and the tables that it is laid over (`models.py`).
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from streamarena.errors import ConfigFileError

if TYPE_CHECKING:
    from streamarena.context.models import ModelInfo

__all__ = ["read_models"]

_SECTIONS: Final = ("models", "aliases")
_WINDOWS: Final = ("context_window",)
_LIMITS: Final = ("max_output_tokens", "max_thinking_tokens")
_PRICES: Final = ("input_price", "output_price", "cache_writes_price", "cache_reads_price")


def read_models(
    path: Path, kind: type[ModelInfo], find: Callable[[str], ModelInfo]
) -> tuple[dict[str, ModelInfo], dict[str, str]]:
    """Return the models and aliases of a file.

    Args:
        path: the file.
        kind: the class of a model.
        find: looks up a model that `like` names.

    Raises:
        ConfigFileError: the file cannot be read, or holds a key that does not exist or a value that cannot be used.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigFileError(str(path), 0, str(error)) from error
    unknown = [key for key in document if key not in _SECTIONS]
    if unknown:
        raise ConfigFileError(str(path), 0, f"there is no {unknown[0]!r}; known are {' and '.join(_SECTIONS)}")
    models = {
        model_id: _model(path, model_id, _table(path, f"models.{model_id}", fields), kind, find)
        for model_id, fields in _table(path, "models", document.get("models", {})).items()
    }
    aliases: dict[str, str] = {}
    for name, target in _table(path, "aliases", document.get("aliases", {})).items():
        if not isinstance(target, str) or not (target in models or find(target).known):
            raise ConfigFileError(str(path), 0, f"aliases.{name} is the id of a known model, not {target!r}")
        aliases[name] = target
    return models, aliases


def _table(path: Path, key: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigFileError(str(path), 0, f"{key} is a table, not {value!r}")
    return cast(Mapping[str, Any], value)


def _model(
    path: Path, model_id: str, given: Mapping[str, Any], kind: type[ModelInfo], find: Callable[[str], ModelInfo]
) -> ModelInfo:
    where = f"models.{model_id}"
    fields = dict(given)
    known = [name for name in kind.__struct_fields__ if name not in {"id", "known"}]
    unknown = [name for name in fields if name not in {*known, "like"}]
    if unknown:
        names = ", ".join(["like", *known])
        raise ConfigFileError(str(path), 0, f"{where}.{unknown[0]} is no setting of a model; there are {names}")
    base: dict[str, Any] = {}
    if "like" in fields:
        like = fields.pop("like")
        found = find(like) if isinstance(like, str) else None
        if found is None or not found.known:
            raise ConfigFileError(str(path), 0, f"{where}.like is the id of a known model, not {like!r}")
        base = msgspec.to_builtins(found)
    try:
        model = msgspec.convert({**base, **fields, "id": model_id, "known": True}, kind)
    except msgspec.ValidationError as error:
        raise ConfigFileError(str(path), 0, f"{where}: {error}") from error
    problem = _wrong_number(model)
    if problem is not None:
        raise ConfigFileError(str(path), 0, f"{where}.{problem}")
    return model


def _wrong_number(model: ModelInfo) -> str | None:
    for name in _WINDOWS:
        if getattr(model, name) < 1:
            return f"{name} is at least 1 token, not {getattr(model, name)}"
    for name in _LIMITS:
        value = getattr(model, name)
        if value is not None and value < 1 and value != -1:
            return f"{name} is at least 1 token, or -1 for not set, not {value}"
    for name in _PRICES:
        value = getattr(model, name)
        if value is not None and not (math.isfinite(value) and value >= 0):
            return f"{name} is in US dollars for a million tokens and not negative: {value}"
    if any(window < 1 for window in model.tier_context_windows):
        return f"tier_context_windows are at least 1 token each: {model.tier_context_windows}"
    temperature = model.default_temperature
    if temperature is not None and not 0 <= temperature <= 2:
        return f"default_temperature is from 0 to 2, not {temperature}"
    return None
