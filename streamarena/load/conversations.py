"""One conversation under way: the history that grows with every reply, trimmed by the context room when asked.

Invariants: a reply stands behind the question that it answers; the last question is never trimmed away.
Cost: a trim walks the history once a turn; token counts are the context room's estimate, never a tokenizer's.
Not here: when the next turn is asked (`worker.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamarena.context import trim_messages
from streamarena.load.bodies import body_for
from streamarena.load.requests import LoadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamarena.load.requests import Conversation

__all__ = ["Dialogue"]


class Dialogue:
    """Asks a conversation's turns one after another.

    Args:
        conversation: what the user says. api: the wire API of the bodies.
    """

    def __init__(self, conversation: Conversation, api: str) -> None:
        self._conversation = conversation
        self._api = api
        self._history: list[dict[str, Any]] = []

    @property
    def history(self) -> list[dict[str, Any]]:
        """What has been said so far."""
        return list(self._history)

    def ask(self, turn: int) -> LoadRequest:
        """Return the request of a turn; turns begin at 0 and are asked in order.

        Raises:
            CannotFitError: the turn alone is longer than `max_history_tokens`.
        """
        conversation = self._conversation
        self._history.append({"role": "user", "content": conversation.turns[turn]})
        if conversation.max_history_tokens is not None:
            trimmed = trim_messages(
                self._history, max_tokens=conversation.max_history_tokens, counter=_estimate, require_last=True
            )
            self._history = [dict(message) for message in trimmed.messages]
        body = body_for(self._api, self._history, system=conversation.system)
        return LoadRequest({**body, **conversation.members}, label=conversation.label)

    def answered(self, text: str) -> None:
        """Put the reply behind its question."""
        self._history.append({"role": "assistant", "content": text})


def _estimate(message: Mapping[str, Any]) -> int:
    """Tokens of one message, roughly: four characters each and four for its frame."""
    return len(str(message.get("content", ""))) // 4 + 4
