"""Which groups of a history stay within a budget; the search behind `trim_messages`.

Invariant: after `take_newest` or `take_both_ends` the kept groups are sound, include everything required, begin with a
user's turn and are within the budget; otherwise `CannotFitError` was raised, and then no such choice exists.
Completeness rests on this: the smallest valid choice is what is required plus, where that does not begin with a user's
turn, the cheapest turn before it; the search ends by trying exactly that.

Cost: messages are counted when the search first looks at them, each once; a history whose newest part fits is grouped
only as far as that part goes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from streamarena.context._calls import completes_reasoning, result_ids
from streamarena.context._groups import Group, group_messages, system_indices
from streamarena.errors import CannotFitError

if TYPE_CHECKING:
    from streamarena.context.messages import Message

__all__ = ["Selection", "select_both_ends", "select_newest"]


class _Costs:
    """The tokens of each message, counted when somebody asks and once."""

    __slots__ = ("_count", "_known", "messages")

    def __init__(self, messages: Sequence[Message], count: Callable[[Message], int]) -> None:
        self.messages = messages
        self._count = count
        self._known: dict[int, int] = {}

    def of(self, index: int) -> int:
        known = self._known.get(index)
        if known is None:
            known = self._known[index] = self._count(self.messages[index])
        return known


def select_newest(
    messages: Sequence[Message], count: Callable[[Message], int], budget: int, required: Collection[int]
) -> Selection:
    """Return the choice of the newest groups that fit, beginning with a user's turn.

    Where nothing but the last message is required, only the messages that fit are looked at closely; the whole history
    is grouped when that does not lead to a choice.

    Raises:
        CannotFitError: no valid choice fits.
    """
    items = messages if isinstance(messages, list) else list(messages)
    costs = _Costs(items, count)
    systems = system_indices(items)
    if all(index == len(items) - 1 for index in required):
        recent = _recent(costs, budget, systems, required)
        if recent is not None:
            return recent
    selection = Selection(costs, budget, systems=systems, groups=group_messages(items), required=required)
    selection.take_newest()
    return selection


def select_both_ends(
    messages: Sequence[Message], count: Callable[[Message], int], budget: int, required: Collection[int]
) -> Selection:
    """Return the choice of the oldest and the newest groups that fit, alternately.

    Raises:
        CannotFitError: no valid choice fits.
    """
    items = messages if isinstance(messages, list) else list(messages)
    groups, systems = group_messages(items), system_indices(items)
    selection = Selection(_Costs(items, count), budget, systems=systems, groups=groups, required=required)
    selection.take_both_ends()
    return selection


def _recent(costs: _Costs, budget: int, systems: list[int], required: Collection[int]) -> Selection | None:
    """Return the choice from the messages that fit as they stand; None where the rest of the history matters."""
    messages = costs.messages
    room = budget - sum(map(costs.of, systems))
    passed = frozenset(systems)
    start = size = len(messages)
    while start and (start - 1 in passed or costs.of(start - 1) <= room):
        start -= 1
        room -= 0 if start in passed else costs.of(start)
    while 0 < start < size and (result_ids(messages[start]) or _follows_reasoning(messages, start)):
        start += 1  # what belongs to it did not fit
    groups = group_messages(messages, start)
    if not groups or not all(group.sound for group in groups):
        return None
    if not groups[0].starts_turn:
        turn = next((i for i in range(start - 1, -1, -1) if _is_turn(messages[i])), None)
        if turn is not None:
            groups.insert(0, Group([turn], True))
    selection = Selection(costs, budget, systems=systems, groups=groups, required=required)
    try:
        selection.take_newest()
    except CannotFitError:
        return None
    return selection


def _follows_reasoning(messages: Sequence[Message], index: int) -> bool:
    return messages[index - 1].get("type") == "reasoning" and completes_reasoning(messages[index])


def _is_turn(message: Message) -> bool:
    return message.get("role") == "user" and not result_ids(message)


class Selection:
    """A choice of groups in the making."""

    __slots__ = (
        "_anchor", "_candidates", "_cost_of", "_dropped", "_required", "_taken", "budget", "size", "systems", "total",
        "unsound",
    )  # fmt: skip

    def __init__(
        self, costs: _Costs, budget: int, *, systems: list[int], groups: list[Group], required: Collection[int] = ()
    ) -> None:
        self.budget = budget
        self.size = len(costs.messages)
        self.systems = frozenset(systems)
        self._cost_of = costs.of
        self._anchor: Group | None = None
        self._taken: list[Group] = []  # in the order of the walk, so the oldest of a walk back is the last
        self._dropped: tuple[int, ...] | None = None
        self._candidates = [group for group in groups if group.sound]
        self.unsound: frozenset[int] = frozenset()
        if len(self._candidates) != len(groups):
            self.unsound = frozenset(index for group in groups if not group.sound for index in group.indices)
        self._required: list[Group] = []
        if required:
            self._required = [group for group in self._candidates if not self._free(group, required)]
            if not self.unsound.isdisjoint(required):
                raise CannotFitError(budget, None)
        self.total = sum(map(costs.of, systems))
        for group in self._required:
            group.kept = True
            self.total += self._cost(group)

    @staticmethod
    def _free(group: Group, required: Collection[int]) -> bool:
        return all(index not in required for index in group.indices)

    def take_newest(self) -> None:
        """Keep as many of the newest groups as fit, beginning with a user's turn.

        Raises:
            CannotFitError: no valid choice fits.
        """
        if self.total <= self.budget:
            self._extend()
            if self._begins_with_turn() or self._anchored():
                return
        self._fall_back()

    def take_both_ends(self) -> None:
        """Keep the oldest and the newest groups, alternately, as long as they fit.

        Raises:
            CannotFitError: no valid choice fits.
        """
        free = [group for group in self._candidates if not group.kept]
        first = next((number for number, group in enumerate(free) if group.starts_turn), None)
        if first is None or not self._fits(free[first]) or not self._leads(free[first]):
            self.take_newest()
            return
        self._keep(free[first])
        low, high = first + 1, len(free) - 1
        from_end = True
        while low <= high:
            group = free[high] if from_end else free[low]
            if not self._fits(group):
                break
            self._keep(group)
            low, high = (low, high - 1) if from_end else (low + 1, high)
            from_end = not from_end

    def kept_indices(self) -> list[int]:
        """Return the indices of what stays, in order."""
        return sorted([*self.systems, *self.spoken()])

    def spoken(self) -> list[int]:
        """Return the indices of what stays and is no system message."""
        return [index for group in self._candidates if group.kept for index in group.indices]

    def dropped(self) -> tuple[int, ...]:
        """Return the indices of what goes, in order; call it when the choice is made."""
        if self._dropped is None:
            kept = {*self.systems, *self.spoken()}
            self._dropped = tuple([index for index in range(self.size) if index not in kept])
        return self._dropped

    def _cost(self, group: Group) -> int:
        cost = group.cost
        if cost is None:
            cost = group.cost = sum(map(self._cost_of, group.indices))
        return cost

    def _fits(self, group: Group) -> bool:
        return self.total + self._cost(group) <= self.budget

    def _keep(self, group: Group) -> None:
        self._taken.append(group)
        group.kept = True
        self.total += self._cost(group)

    def _drop_oldest(self) -> None:
        group = self._taken.pop()
        group.kept = False
        self.total -= self._cost(group)

    def _begin_with(self, turn: Group) -> None:
        self._anchor = turn
        turn.kept = True
        self.total += self._cost(turn)

    def _first(self) -> Group | None:
        first = self._anchor
        for group in (*self._taken[-1:], *self._required[:1]):
            if first is None or group.indices[0] < first.indices[0]:
                first = group
        return first

    def _begins_with_turn(self) -> bool:
        first = self._first()
        return first is not None and first.starts_turn

    def _leads(self, group: Group) -> bool:
        """Whether the choice would begin with this group."""
        first = self._first()
        return first is None or group.indices[0] < first.indices[0] or first.starts_turn

    def _extend(self, after: int = -1, *, skip: bool = False) -> None:
        """Walk back from the newest group while groups fit, as far as the one that begins at `after`.

        With `skip` the walk begins at the newest group that fits at all.
        """
        for group in reversed(self._candidates):
            if group.indices[0] <= after:
                return
            if group.kept:
                continue
            if self._fits(group):
                self._keep(group)
                skip = False
            elif not skip:
                return

    def _anchored(self) -> bool:
        """Make the choice begin with a user's turn: add the one before it, giving up its oldest groups for that."""
        first = self._first()
        if first is None:
            return False
        anchor = self._turn_before(first)
        while True:
            if anchor is not None and self._fits(anchor):
                self._begin_with(anchor)
                return True
            if not self._taken or first is not self._taken[-1]:  # what is required comes first, and does not begin well
                return False
            self._drop_oldest()
            first = self._first()
            if first is None or first.starts_turn:
                return first is not None

    def _turn_before(self, first: Group) -> Group | None:
        before: Group | None = None
        for group in self._candidates:
            if group.indices[0] >= first.indices[0]:
                break
            if group.starts_turn and not group.kept:
                before = group
        return before

    def _fall_back(self) -> None:
        """Keep what is required and one user's turn, the newest that fits; then as much of the newest as fits."""
        while self._taken:
            self._drop_oldest()
        first = self._first()
        if first is not None and first.starts_turn:
            if self.total <= self.budget:
                return
            raise CannotFitError(self.budget, self.total)
        turns = [
            group
            for group in self._candidates
            if group.starts_turn and (first is None or group.indices[0] < first.indices[0])
        ]
        for turn in reversed(turns):
            if self._fits(turn):
                self._begin_with(turn)
                self._extend(turn.indices[0], skip=True)
                return
        raise CannotFitError(self.budget, min((self.total + self._cost(turn) for turn in turns), default=None))
