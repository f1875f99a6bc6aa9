"""Which API a recorded stream speaks, seen from its first events.

Invariants: the rules are tried in the order of the table, the most particular first; an event that could be anybody's
(a bare error, a keep-alive) decides nothing. Costs one untyped parse for each event that is looked at.
Not here: how the bytes are framed (`framing.py`); which member of the OpenAI-compatible family it is, for the wire is
the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from streamarena.errors import DecodeError
from streamarena.providers.decoders.base import is_keep_alive
from streamarena.providers.interfaces import WireEvent  # noqa: TC001 - annotations stay readable at run time
from streamarena.providers.tolerant import load_object

__all__ = ["detect_api"]

_BEDROCK: Final = frozenset({"messageStart", "contentBlockStart", "contentBlockDelta", "messageStop", "metadata"})


class _Signs(NamedTuple):
    """What gives an API away; one sign is enough.

    Attributes:
        kinds: values of `type`, or beginnings of it where they end in a dot.
        names: of the event itself, or of an object's only member.
        members: any of these; with `beside`, only where that one is there too.
    """

    kinds: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()
    beside: str | None = None


_SIGNS: Final[dict[str, _Signs]] = {
    "bedrock-converse": _Signs(names=_BEDROCK),
    "openai-responses": _Signs(("response.",), members=frozenset({"output"}), beside="object"),
    "anthropic": _Signs(("message_start", "content_block_start", "content_block_delta", "message_delta", "message")),
    "cohere-v2": _Signs(("message-start", "content-start", "content-delta", "tool-plan-delta", "tool-call-start")),
    "openai-chat": _Signs(members=frozenset({"choices"})),
    "gemini": _Signs(members=frozenset({"candidates", "promptFeedback", "usageMetadata"})),
    "ollama": _Signs(members=frozenset({"message", "response"}), beside="done"),
    "tgi": _Signs(members=frozenset({"token", "generated_text"})),
}


def detect_api(events: Iterable[WireEvent]) -> str | None:
    """Return the API that the first telling event speaks; None where none tells.

    Args:
        events: the first events of a stream, as framed; it stops at the first that decides.
    """
    for event in events:
        if is_keep_alive(event.raw_data.strip()):
            continue
        try:
            body = load_object(event.raw_data, "auto")
        except DecodeError:
            continue
        for api, signs in _SIGNS.items():
            if _shows(signs, event.event, body):
                return api
    return None


def _shows(signs: _Signs, name: str, body: dict[str, Any]) -> bool:
    kind: object = body.get("type")
    if isinstance(kind, str) and any(
        kind == sign or (sign[-1] == "." and kind.startswith(sign)) for sign in signs.kinds
    ):
        return True
    if name in signs.names or (len(body) == 1 and not signs.names.isdisjoint(body)):
        return True
    return (signs.beside is None or signs.beside in body) and not signs.members.isdisjoint(body)
