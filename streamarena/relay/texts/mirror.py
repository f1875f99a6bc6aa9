"""The end of a stream that is ended early, in the stream's own form: what the provider would have sent had it stopped.

A mirror reads what is sent to the client and writes the same stream with an encoder of ours, whose bytes nobody sees,
so that at any moment it knows what is open and what must be closed. Only streams with a stage that may stop have one.

Invariant: the end fits what was sent: open blocks are closed, the reason is "stop". Costs a decode and an encode for
each event; with Responses, whose end repeats everything, the answer's text, up to the encoder's `max_bytes`.
Not here: when to stop (`stages.py`).
"""

from __future__ import annotations

import re
import time
from typing import Final

from streamarena.errors import DecodeError
from streamarena.providers import FinishChunk, decoder_for, encoder_for
from streamarena.sse import ServerSentEvent

__all__ = ["Mirror"]

_ITEM: Final = re.compile(rb'"item_id":"([^"\\]*)"')
_WORDS: Final[dict[str, str]] = {"anthropic": "stop_sequence", "gemini": "STOP"}
"""What the wire calls it when a text stopped the model; "stop" on the others."""


class Mirror:
    """Follows one stream.

    Args:
        api: its wire.
    """

    __slots__ = ("_api", "_decoder", "_encoder", "_item")

    def __init__(self, api: str) -> None:
        self._api = api
        self._decoder = decoder_for(api, think_tag=None)
        self._encoder = encoder_for(api, created=int(time.time()))
        self._item: bytes | None = None

    def sent(self, data: bytes, name: str) -> None:
        """Take note of an event that goes to the client."""
        if self._api == "openai-responses" and (item := _ITEM.search(data)) is not None:
            self._item = item[1]
        try:
            self._encoder.encode(self._decoder.decode(ServerSentEvent(data, name)))
        except DecodeError:
            return  # the client will make of it what it can; it opens and closes nothing that we know

    def ending(self, stopped_by: str) -> bytes:
        """Return what ends the stream here."""
        reason = _WORDS.get(self._api, "stop")
        ending = self._encoder.encode([FinishChunk("stop", reason, stop_sequence=stopped_by)]) + self._encoder.finish()
        ours = _ITEM.search(ending)
        if self._item is not None and ours is not None:
            ending = ending.replace(b'"' + ours[1] + b'"', b'"' + self._item + b'"')
        return ending
