"""Follow a stream's tokens against the output limit and the context window while it runs; warn, or stop it.

Invariants: every chunk is passed on unchanged and in order, the one that met a limit included; a provider's own number
replaces the estimate of everything before it; each warning is given once.
What the provider has not counted yet is estimated as a quarter of its UTF-8 bytes: a stream's text is never tokenised
here, because that would hold the loop up.

Cost: a length and an addition for each chunk of content, nothing for others.
Not here: cutting the request before it is sent (`streamarena.context`), and time limits (the client's).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from streamarena.errors import ConfigurationError, TokenBudgetExceededError
from streamarena.pipeline.stages import stateful

if TYPE_CHECKING:
    from streamarena.pipeline.pipeline import Pipeline
    from streamarena.providers.chunks import Chunk, UsageChunk

__all__ = ["BYTES_PER_TOKEN", "BudgetLimit", "BudgetState", "BudgetWatch", "token_budget"]

BYTES_PER_TOKEN: Final = 4

BudgetLimit: TypeAlias = Literal["output", "window"]


class BudgetState(msgspec.Struct, frozen=True):
    """How far a stream has come.

    Attributes:
        input_tokens: of the request; output_tokens: of the answer so far, reasoning and tool calls included.
        exact: whether they are the provider's numbers; False: the output is an estimate.
        max_output_tokens, context_window: the limits; None where there is none.
    """

    input_tokens: int
    output_tokens: int
    exact: bool
    max_output_tokens: int | None = None
    context_window: int | None = None

    @property
    def output_share(self) -> float:
        """The share of the output limit that is used, 1.0 at the limit; 0.0 without one."""
        return self.output_tokens / self.max_output_tokens if self.max_output_tokens else 0.0

    @property
    def window_share(self) -> float:
        """The share of the window that input and output fill; 0.0 without one."""
        return (self.input_tokens + self.output_tokens) / self.context_window if self.context_window else 0.0


class BudgetWatch:
    """The stage's memory of one stream: fed with chunks, it passes them on.

    Args:
        context_window: tokens of input and output together; None: not watched.
        max_output_tokens: tokens of output; None: not watched.
        input_tokens: of the request, as far as they are known before the provider says.
        warn_at: share of a limit at which `on_warning` is called, once for each limit. Default 0.9.
        on_warning: called synchronously with the limit and the state; its exceptions end the stream.
        stop: raise `TokenBudgetExceededError` when a limit is passed, after the chunk that passed it.
    """

    def __init__(
        self,
        *,
        context_window: int | None = None,
        max_output_tokens: int | None = None,
        input_tokens: int = 0,
        warn_at: float = 0.9,
        on_warning: Callable[[BudgetLimit, BudgetState], object] | None = None,
        stop: bool = False,
    ) -> None:
        self._window = context_window
        self._output_limit = max_output_tokens
        self._input = input_tokens
        self._reported: int | None = None
        self._unreported_bytes = 0  # of content that came after the provider's last number
        self._warn_at = warn_at
        self._on_warning = on_warning
        self._stop = stop
        self._warned: set[BudgetLimit] = set()
        self._passed: BudgetLimit | None = None

    @property
    def state(self) -> BudgetState:
        """How far the stream has come now."""
        output = (self._reported or 0) - (-self._unreported_bytes // BYTES_PER_TOKEN)
        exact = self._reported is not None and not self._unreported_bytes
        return BudgetState(self._input, output, exact, self._output_limit, self._window)

    def feed(self, chunk: Chunk) -> Sequence[Chunk]:
        """Take a chunk and pass it on.

        Raises:
            TokenBudgetExceededError: a limit was passed by the chunk before, and the stage is to stop.
        """
        if self._passed is not None:
            raise self._error(self._passed)
        if chunk.kind == "usage":
            self._take_usage(chunk)
            self._check()
        elif chunk.is_content:
            self._unreported_bytes += _content_bytes(chunk)
            self._check()
        return (chunk,)

    def flush(self) -> Sequence[Chunk]:
        """The stream is over.

        Raises:
            TokenBudgetExceededError: its last chunk passed a limit, and the stage is to stop.
        """
        if self._passed is not None:
            raise self._error(self._passed)
        return ()

    def _take_usage(self, usage: UsageChunk) -> None:
        cached = 0 if usage.cache_in_input else (usage.cache_write_tokens or 0) + (usage.cache_read_tokens or 0)
        self._input = usage.input_tokens + cached or self._input  # a last usage chunk may leave the input out
        if usage.output_tokens:
            self._reported = usage.output_tokens
            self._unreported_bytes = 0

    def _check(self) -> None:
        state = self.state
        shares: tuple[tuple[BudgetLimit, float], ...] = (
            ("output", state.output_share),
            ("window", state.window_share),
        )
        for limit, share in shares:
            if share >= self._warn_at and limit not in self._warned:
                self._warned.add(limit)
                if self._on_warning is not None:
                    self._on_warning(limit, state)
            if share > 1 and self._stop and self._passed is None:
                self._passed = limit

    def _error(self, limit: BudgetLimit) -> TokenBudgetExceededError:
        state = self.state
        if limit == "output":
            return TokenBudgetExceededError(limit, state.output_tokens, self._output_limit or 0, state)
        return TokenBudgetExceededError(limit, state.input_tokens + state.output_tokens, self._window or 0, state)


def token_budget(
    *,
    context_window: int | None = None,
    max_output_tokens: int | None = None,
    input_tokens: int = 0,
    warn_at: float = 0.9,
    on_warning: Callable[[BudgetLimit, BudgetState], object] | None = None,
    stop: bool = False,
) -> Pipeline[Chunk, Chunk]:
    """A stage that follows each stream's tokens; see `BudgetWatch` for the arguments.

    Raises:
        ConfigurationError: there is no limit to follow, or one of them is not positive.
    """
    limits = [limit for limit in (context_window, max_output_tokens) if limit is not None]
    if not limits or any(limit <= 0 for limit in limits):
        raise ConfigurationError("token_budget needs context_window or max_output_tokens, in tokens above 0")

    def watch() -> BudgetWatch:
        return BudgetWatch(
            context_window=context_window,
            max_output_tokens=max_output_tokens,
            input_tokens=input_tokens,
            warn_at=warn_at,
            on_warning=on_warning,
            stop=stop,
        )

    return stateful(watch)


def _content_bytes(chunk: Chunk) -> int:
    """Return the UTF-8 bytes of what a chunk of content holds."""
    match chunk.kind:
        case "text" | "reasoning":
            text = chunk.text
        case "tool_call":
            text = chunk.name + chunk.arguments
        case "tool_call_delta":
            text = chunk.delta
        case "tool_call_start":
            text = chunk.name
        case "tool_call_partial":
            text = (chunk.name or "") + (chunk.arguments or "")
        case _:
            return 0
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
