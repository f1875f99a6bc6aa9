"""Light objects in the shape of an SDK's pydantic ones: decoded by msgspec, everything rare made by the SDK on demand.

Invariants: an attribute that the SDK's object would have is there, with the same value; a name that is not a field is
looked up in what came over the wire, as pydantic's extras are; `to_sdk()` is what the stock SDK makes of it.
A light object owns the bytes of its event (about 300) and nothing else.
Cost: a field is a slot; anything else decodes the event again (about 1 us), a method of the SDK's builds its object.
Not here: which fields there are (`openai/`, `anthropic/`).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any, ClassVar, Final, Protocol, Self, cast, get_args

import msgspec
import orjson
import pydantic

__all__ = ["Builder", "Light", "LightEvent", "ModelBuilder", "Path", "UnionBuilder", "load_json"]

Path = tuple["str | int", ...]
"""Where a part stands in its event: keys and positions."""


def load_json(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Decode an event's data as the SDKs do, faster where it is plain JSON.

    Raises:
        json.JSONDecodeError: it is not JSON; also where it is not even with what the standard library takes beyond it.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:  # NaN, lone surrogates and very large numbers: the standard library's own verdict
        return json.loads(data.decode("utf-8", "replace"))


class Builder(Protocol):
    """Makes the SDK's object for a whole event."""

    def __call__(self, data: bytes, /) -> Any:  # noqa: ANN401 - the SDK's
        """Return the SDK's object; what is no JSON object as it is.

        Raises:
            json.JSONDecodeError: the data is not JSON.
        """
        ...


class Light(msgspec.Struct, kw_only=True, gc=False):
    """An event or a part of one.

    A subclass names its SDK type and, through a base of its own, what builds the whole event.
    """

    # What a server sends under these names is overwritten, or is but a wrong answer about its own event.
    _data: bytes = msgspec.field(default=b"", name="(data)")
    _path: Path = msgspec.field(default=(), name="(path)")

    _sdk_type: ClassVar[type[pydantic.BaseModel] | None] = None

    _builder: ClassVar[Builder]

    def to_sdk(self) -> Any:  # noqa: ANN401 - subclasses narrow it
        """Return the SDK's own object, as the stock SDK builds it from the same bytes; a new one at each call."""
        built = self._builder(self._data)
        for step in self._path:
            built = built[step] if isinstance(step, int) else getattr(built, step)
        return built

    def bind(self, data: bytes, path: Path = ()) -> None:
        """Tell this part and all below it which event they come from."""
        self._data = data
        self._path = path
        for name, value in self._fields():
            if isinstance(value, Light):
                value.bind(data, (*path, name))
            elif isinstance(value, list):
                for position, item in enumerate(cast("list[object]", value)):
                    if isinstance(item, Light):
                        item.bind(data, (*path, name, position))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the server or the SDK has under that name
        if name.startswith("__"):
            raise AttributeError(name)
        known = self._sdk_type
        if known is not None and name not in known.model_fields:
            part = self._wire()
            if name in part:
                return part[name]
            if not hasattr(known, name):
                raise AttributeError(f"{known.__name__!r} object has no attribute {name!r}")
        return getattr(self.to_sdk(), name)

    def __repr__(self) -> str:
        shown = [f"{name}={value!r}" for name, value in self._fields()]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _fields(self) -> Iterator[tuple[str, object]]:
        return ((name, getattr(self, name)) for name in self.__struct_fields__ if name[0] != "_" and name[-1] != "_")

    def _wire(self) -> dict[str, Any]:
        part = load_json(self._data)
        for step in self._path:
            part = part[step]
        return cast("dict[str, Any]", part)


class LightEvent(Light):
    """An event without fields of its own: the SDK's object, built when it is first looked at and then kept."""

    _built: Any = None

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Make one for an event's data."""
        return cls(_data=data)

    def to_sdk(self) -> Any:  # noqa: ANN401 - subclasses narrow it
        """Return the SDK's own object; the same one at each call."""
        if self._built is None:
            self._built = super().to_sdk()
        return self._built

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.to_sdk()!r})"


class ModelBuilder:
    """Builds events that are all of one class.

    Args:
        model: the SDK's class.
    """

    def __init__(self, model: type[pydantic.BaseModel]) -> None:
        self._model = model

    def __call__(self, data: bytes, /) -> Any:  # noqa: ANN401 - the model, or what is no object at all
        """Return the SDK's object for an event.

        Raises:
            json.JSONDecodeError: the data is not JSON.
        """
        value: object = load_json(data)
        if not isinstance(value, dict):
            return value
        # The SDKs' own `model_construct`: it checks nothing, and builds nested objects too.
        return self._model.model_construct(**cast("dict[str, Any]", value))


class UnionBuilder:
    """Builds members of an SDK's union of events as its own streams do, by public means of pydantic and the SDK.

    Args:
        union: the union, perhaps annotated. Its members differ in `type`.
    """

    def __init__(self, union: Any) -> None:  # noqa: ANN401 - a typing construct
        self._union = union
        members = get_args(union)
        self._members: Final[tuple[type[pydantic.BaseModel], ...]] = get_args(members[0]) or members

    def __call__(self, data: bytes, /) -> Any:  # noqa: ANN401 - a member of the union
        """Return the SDK's object for an event.

        Raises:
            json.JSONDecodeError: the data is not JSON.
        """
        value = load_json(data)
        try:
            return self._adapter.validate_python(value)
        except pydantic.ValidationError:
            if not isinstance(value, dict):
                return value
        given = cast("dict[str, Any]", value)
        member = self._by_type.get(given.get("type"), self._members[0])
        return member.model_construct(**given)

    @functools.cached_property
    def _adapter(self) -> pydantic.TypeAdapter[Any]:
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(self._union)
        return adapter

    @functools.cached_property
    def _by_type(self) -> dict[object, type[pydantic.BaseModel]]:
        return {name: member for member in self._members for name in get_args(member.model_fields["type"].annotation)}
