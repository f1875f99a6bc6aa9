"""The second, forgiving way to read an event that did not fit its typed form.

Invariants: whatever JSON object comes, the result is a struct of the asked class whose fields have their declared
types; a member that cannot be brought to its type is left out, the others are kept. No text holds a lone surrogate.
Costs ten to fifty times the typed decode, so decoders count how often they come here (`Decoder.fallbacks`).
Not here: any knowledge of a wire. The struct's own annotations say what is expected.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
import msgspec.inspect as shape
import orjson

from streamarena.errors import DecodeError
from streamarena.providers.json_values import is_array, is_object

__all__ = ["TYPED_DECODE_ERRORS", "as_struct", "load_object", "wrong_shape"]

# What a typed decode of wire bytes may raise: malformed or mistyped JSON, bad UTF-8, nesting past the C stack.
TYPED_DECODE_ERRORS: Final = (ValueError, RecursionError)

_Struct = TypeVar("_Struct", bound=msgspec.Struct)
_Plan: TypeAlias = tuple[tuple[str, str, shape.Type], ...]
_MISSING: Final = object()


def load_object(data: bytes, api: str) -> dict[str, Any]:
    """Parse one JSON object: bad UTF-8 is replaced, control characters and NaN are let pass.

    Args:
        data: one event's payload.
        api: the wire's name, for the error.

    Raises:
        DecodeError: not JSON, or JSON that is not an object.
    """
    try:
        value: object = orjson.loads(data)
    except orjson.JSONDecodeError:
        value = _load_leniently(data, api)
    if is_object(value):
        return value
    raise wrong_shape(api, data)


def wrong_shape(api: str, data: bytes) -> DecodeError:
    """Return the error for a payload that this wire could not have sent; it tells what was seen."""
    return DecodeError(f"{api}: no event of this API looks like {_shown(data)}", body=data[:1024])


def _load_leniently(data: bytes, api: str) -> object:
    try:
        value: object = json.loads(data.decode("utf-8", "replace"), strict=False)
        return value
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"{api}: an event is not JSON: {_shown(data)}", body=data[:1024]) from error


def _shown(data: bytes) -> str:
    return repr(data[:80].decode("utf-8", "replace")) + (" ..." if len(data) > 80 else "")


def as_struct(value: dict[str, Any], struct: type[_Struct]) -> _Struct:
    """Build a struct from whatever fits; every field of the struct must have a default."""
    fields: dict[str, Any] = {}
    for name, wire_name, kind in _plan(struct):
        member = value.get(wire_name)
        if member is not None:
            converted = _convert(member, kind)
            if converted is not _MISSING:
                fields[name] = converted
    return struct(**fields)


@lru_cache(maxsize=128)
def _plan(struct: type[msgspec.Struct]) -> _Plan:
    described = shape.type_info(struct)
    assert isinstance(described, shape.StructType)
    return tuple((field.name, field.encode_name, field.type) for field in described.fields)


def _convert(value: object, kind: shape.Type) -> object:
    """Return the value as the wanted kind, or `_MISSING`."""
    if isinstance(kind, shape.UnionType):
        return _convert_to_any_of(value, kind.types)
    if isinstance(kind, shape.StructType):
        return as_struct(value, kind.cls) if is_object(value) else _MISSING
    if isinstance(kind, shape.ListType):
        return _convert_items(value, kind.item_type)
    if isinstance(kind, shape.DictType):
        return value if is_object(value) else _MISSING
    if isinstance(kind, shape.AnyType):
        return value
    for wanted, convert in _SCALARS:
        if isinstance(kind, wanted):
            return convert(value)
    return _MISSING


def _convert_to_any_of(value: object, kinds: tuple[shape.Type, ...]) -> object:
    # Containers first: a number may become text, but an object or a list never does.
    for kind in sorted(kinds, key=lambda kind: isinstance(kind, (shape.StrType, shape.IntType, shape.FloatType))):
        converted = _convert(value, kind)
        if converted is not _MISSING:
            return converted
    return _MISSING


def _convert_items(value: object, kind: shape.Type) -> object:
    if not is_array(value):
        return _MISSING
    converted = (_convert(item, kind) for item in value)
    return [item for item in converted if item is not _MISSING]


def _text(value: object) -> object:
    if isinstance(value, str):
        # Halves of a pair that came as two escapes are joined; a lone half becomes U+FFFD.
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return _MISSING


def _integer(value: object) -> object:
    if isinstance(value, bool):
        return _MISSING
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and len(value) <= 18 and value.isascii() and value.isdigit():
        return int(value)
    return _MISSING


def _number(value: object) -> object:
    if isinstance(value, bool):
        return _MISSING
    try:
        return float(value) if isinstance(value, (int, float, str)) else _MISSING
    except (ValueError, OverflowError):
        return _MISSING


def _boolean(value: object) -> object:
    return value if isinstance(value, bool) else _MISSING


_SCALARS: Final = (
    (shape.StrType, _text),
    (shape.IntType, _integer),
    (shape.FloatType, _number),
    (shape.BoolType, _boolean),
)
