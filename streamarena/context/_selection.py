"""Which groups of a history stay within a budget; the search behind `trim_messages`.

Invariant: after `take_newest` or `take_both_ends` the kept groups are sound, include everything required, begin with a
user's turn and are within the budget; otherwise `CannotFitError` was raised, and then no such choice exists.
Completeness rests on this: the smallest valid choice is what is required plus, where that does not begin with a user's
turn, the cheapest turn before it; the search ends by trying exactly that.

Cost: groups are counted when the search first looks at them, each once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from streamarena.errors import CannotFitError

if TYPE_CHECKING:
    from streamarena.context._groups import Group
    from streamarena.context.messages import Message

__all__ = ["Selection"]


class Selection:
    """A choice of groups in the making."""

    __slots__ = (
        "_anchor", "_candidates", "_count", "_dropped", "_messages", "_required", "_taken", "budget", "systems",
        "total", "unsound",
    )  # fmt: skip

    def __init__(
        self,
        messages: Sequence[Message],
        count: Callable[[Message], int],
        budget: int,
        *,
        systems: list[int],
        groups: list[Group],
        required: Collection[int],
    ) -> None:
        self.budget = budget
        self.systems = frozenset(systems)
        self._messages = messages
        self._count = count
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
        self.total = sum(count(messages[index]) for index in systems)
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
            gone = [index for group in self._candidates if not group.kept for index in group.indices]
            self._dropped = tuple(sorted([*gone, *self.unsound]))
        return self._dropped

    def _cost(self, group: Group) -> int:
        cost = group.cost
        if cost is None:
            count, messages = self._count, self._messages
            cost = group.cost = sum([count(messages[index]) for index in group.indices])
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
