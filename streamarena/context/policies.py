"""The window policies by name: `classic`, `native`, `cline` and `codex-cli`, each an object with one method.

Classic and native are stateless; the others keep what their programs keep (edits and a deleted range; how a model is
asked), so each conversation gets an object of its own from `window_policy`.
Invariant: where nothing changes, the messages that come back are the object that was given.

Cost: that of the policy. Not here: the policies' own rules (`classic.py`, `native.py`, `cline.py`, `codex_cli.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from streamarena.context.classic import ClassicPolicy
from streamarena.context.cline import cline_window
from streamarena.context.cline_edits import ClineContextManager
from streamarena.context.codex_cli import auto_compact_limit, compact_history, compacted_items
from streamarena.context.native import NativePolicy
from streamarena.context.window import ContextResult, WindowContext, count_last_message
from streamarena.errors import ConfigurationError

if TYPE_CHECKING:
    from streamarena.context.messages import Message

__all__ = ["ClinePolicy", "CodexCliPolicy", "POLICY_NAMES", "PolicyName", "WindowPolicy", "window_policy"]

PolicyName: TypeAlias = Literal["classic", "native", "cline", "codex-cli"]
POLICY_NAMES: Final[tuple[PolicyName, ...]] = ("classic", "native", "cline", "codex-cli")


class WindowPolicy(Protocol):
    """Decides what becomes of a history that may be too long."""

    @property
    def name(self) -> str:
        """The name it is chosen by."""
        ...

    async def manage(self, context: WindowContext) -> ContextResult:
        """Return the history from now on, the same object where nothing changes."""
        ...


class ClinePolicy:
    """The policy named `cline`: what is sent leaves out repeated file contents first, then a middle range.

    The stored history is never changed, so hand in the whole of it each time.

    Args:
        manager: the edits and the range of one conversation; default: none yet.
        model_id: for the rule about DeepSeek behind OpenAI-compatible endpoints.
        openai_compatible: whether the model is reached through such an endpoint.
    """

    name = "cline"

    def __init__(
        self, manager: ClineContextManager | None = None, *, model_id: str = "", openai_compatible: bool = False
    ) -> None:
        self.manager = manager or ClineContextManager()
        self._model_id = model_id
        self._compatible = openai_compatible

    async def manage(self, context: WindowContext) -> ContextResult:
        """Return what to send; `total_tokens` is the previous request's total, `now` its time."""
        messages = context.messages
        window = cline_window(context.context_window, model_id=self._model_id, openai_compatible=self._compatible)
        done = self.manager.prepare(messages, previous_total=context.total_tokens, window=window, time=context.now)
        same = len(done.messages) == len(messages) and all(a is b for a, b in zip(done.messages, messages, strict=True))
        return ContextResult(
            messages if same else done.messages,
            "unchanged" if same else "truncated",
            context.total_tokens,
            messages_removed=len(messages) - len(done.messages),
        )


class CodexCliPolicy:
    """The policy named `codex-cli`: from nine tenths of the window on, the history is compacted.

    Args:
        ask: sends items to the model and returns its text; None: a fresh window with the newest user messages only.
        prompt: the compaction prompt. summary_prefix: what every summary begins with.
        initial: the initial context of the new history.
        limit: tokens at which to compact, if lower than nine tenths of the window.
    """

    name = "codex-cli"

    def __init__(
        self,
        ask: Callable[[Sequence[Message]], Awaitable[str]] | None = None,
        *,
        prompt: str = "",
        summary_prefix: str = "Summary of the conversation so far:",
        initial: Sequence[Message] = (),
        limit: int | None = None,
    ) -> None:
        self._ask = ask
        self._prompt = prompt
        self._prefix = summary_prefix
        self._initial = initial
        self._limit = limit

    async def manage(self, context: WindowContext) -> ContextResult:
        """Compact the history where that is due; exceptions of the model pass.

        Raises:
            ContextError: even a single item is too much for the window.
        """
        used = context.total_tokens + await count_last_message(context)
        if used < auto_compact_limit(int(context.context_window), self._limit):
            return ContextResult(context.messages, "unchanged", used)
        if self._ask is None:
            items = compacted_items(context.messages, "", summary_prefix=self._prefix, initial=self._initial)
            return ContextResult(items, "truncated", used, messages_removed=len(context.messages) - len(items))
        done = await compact_history(
            context.messages, self._ask, prompt=self._prompt, summary_prefix=self._prefix, initial=self._initial
        )
        return ContextResult(done.items, "condensed", used, summary=done.summary)


def window_policy(name: str) -> WindowPolicy:
    """Return a policy by its name; a new object where the policy keeps state.

    Raises:
        ConfigurationError: there is no such policy.
    """
    match name:
        case "classic":
            return ClassicPolicy()
        case "native":
            return NativePolicy()
        case "cline":
            return ClinePolicy()
        case "codex-cli":
            return CodexCliPolicy()
        case _:
            raise ConfigurationError(f"unknown window policy {name!r}; known are {', '.join(POLICY_NAMES)}")
