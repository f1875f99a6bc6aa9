"""Errors of message histories and token budgets."""

from __future__ import annotations

from streamarena.errors._base import LimitExceededError, StreamArenaError


class ContextError(StreamArenaError):
    """A message history cannot be handled as asked."""


class MalformedMessageError(ContextError):
    """A message of a history has a shape that cannot be handled.

    Attributes:
        index: of the message, None where the history itself is none; problem: what is wrong with it.
    """

    def __init__(self, index: int | None, problem: str) -> None:
        super().__init__(problem if index is None else f"message {index}: {problem}")
        self.index = index
        self.problem = problem


class CannotFitError(ContextError):
    """No valid history fits the budget.

    Attributes:
        budget: tokens allowed; smallest: tokens of the smallest valid history, None where no part of it is valid.
    """

    def __init__(self, budget: int, smallest: int | None) -> None:
        reason = (
            ", and no larger budget would help: there is no user's turn to begin with, or what must stay does not pair"
            if smallest is None
            else f"; the smallest valid one needs {smallest}"
        )
        super().__init__(f"no valid history fits {budget} tokens{reason}")
        self.budget = budget
        self.smallest = smallest


class HistoryTooLongError(LimitExceededError):
    """A history would hold more messages than `max_messages`."""

    what = "a history"
    unit = "messages"


class TokenBudgetExceededError(ContextError):
    """A stream brought more tokens than it was allowed; what it brought before was passed on.

    Attributes:
        state: how far the stream had come (a `BudgetState`); limit: "output" or "window", whichever was met.
    """

    def __init__(self, limit: str, tokens: int, allowed: int, state: object) -> None:
        super().__init__(f"the stream's {limit} limit of {allowed} tokens was passed: about {tokens}")
        self.limit = limit
        self.tokens = tokens
        self.allowed = allowed
        self.state = state
