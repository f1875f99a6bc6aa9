"""A request's body from one wire API to another, as bytes.

Invariants: what the target is sent always asks for a stream with token counts, whatever the caller wants: the reply is
put together here, and the timeouts between pieces hold for whole replies too.
Costs one parse, one pass over the turns and one dump.
Not here: the forms of the APIs, one file for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from streamarena.client import ENDPOINTS
from streamarena.errors import RequestRefusedError
from streamarena.providers import wire_of
from streamarena.providers.encoders.parts import dump
from streamarena.providers.json_values import is_object
from streamarena.relay.translation import anthropic, openai_chat, openai_responses
from streamarena.relay.translation.conversation import Conversation

__all__ = ["WIRES", "TranslatedRequest", "translate_request"]

_Read = Callable[[Mapping[str, Any]], tuple[Conversation, list[str]]]
_Write = Callable[[Conversation, str], tuple[dict[str, Any], list[str]]]

WIRES: Final[Mapping[str, tuple[_Read, _Write]]] = {
    "openai-chat": (openai_chat.read, openai_chat.write),
    "openai-responses": (openai_responses.read, openai_responses.write),
    "anthropic": (anthropic.read, anthropic.write),
}
"""By wire: what reads its requests, and what writes them."""


class TranslatedRequest(NamedTuple):
    """A request in the target's form.

    Attributes:
        body: what to send. stream, include_usage: what the caller wants of the reply.
        dropped: names of what was left out, in the caller's or the target's words.
    """

    body: bytes
    stream: bool
    include_usage: bool
    dropped: tuple[str, ...]


def translate_request(body: bytes, api: str, target_api: str, model: str | None = None) -> TranslatedRequest:
    """Write a request for another API.

    Args:
        body: as it came.
        api: which API it is written for.
        target_api: which it is to be written for.
        model: replaces the model; None keeps it.

    Raises:
        TranslationError: it uses what the target's API has no place for; `.param` names the member.
        RequestRefusedError: it is no JSON object.
    """
    try:
        members: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RequestRefusedError(400, f"the body is not JSON: {error}") from None
    if not is_object(members):
        raise RequestRefusedError(400, "the body is not a JSON object")
    conversation, left_out = WIRES[wire_of(api)][0](members)
    if model is not None:
        conversation = msgspec.structs.replace(conversation, model=model)
    written, more = WIRES[wire_of(target_api)][1](conversation, target_api)
    asks = ENDPOINTS[target_api].stream_fields
    dropped = tuple(dict.fromkeys((*left_out, *more)))
    return TranslatedRequest(dump({**written, **asks}), conversation.stream, conversation.include_usage, dropped)
