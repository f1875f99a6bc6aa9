"""What the tests of both SDKs ask of a stock stream and of a lean one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


async def read(stream):
    """Read a stream to its end, and close it."""
    async with stream:
        return [item async for item in stream]


def plain(item):
    """The SDK's object, of an item of either stream."""
    return item.to_sdk() if hasattr(item, "to_sdk") else item


def paths_of(value, path=()):
    """Every path of attributes and positions below an SDK's object, and the plain value at its end."""
    if hasattr(value, "model_fields_set"):
        for name in {*type(value).model_fields, *(value.model_extra or ())}:
            yield from paths_of(getattr(value, name), (*path, name))
    elif isinstance(value, list) and value and hasattr(value[0], "model_fields_set"):
        for position, item in enumerate(value):
            yield from paths_of(item, (*path, position))
    else:
        yield path, value


def walk(value, path):
    """Follow a path."""
    for step in path:
        value = value[step] if isinstance(step, int) else getattr(value, step)
    return value


@dataclass
class Failure:
    """What a stream delivered before it failed, and how it failed."""

    items: list[object] = field(default_factory=list)
    kind: type[Exception] | None = None
    text: str = ""
    shown: list[object] = field(default_factory=list)

    def without_text(self):
        return replace(self, text="", shown=[])


async def failure(call):
    """Open a stream and read it to its end or its error."""
    seen = Failure()
    try:
        async for item in await call():
            seen.items.append(plain(item))
    except Exception as error:  # noqa: BLE001 - compared by the tests
        seen.kind, seen.text = type(error), str(error)
        seen.shown = [getattr(error, name, None) for name in ("status_code", "code", "body", "message")]
    return seen
