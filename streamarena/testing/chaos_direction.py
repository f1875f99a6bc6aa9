"""One direction of one proxied connection: rules turn bytes into pieces, each with the time at which it may pass.

Invariants: pieces pass in order; no rule but `cut` and `reset` changes how many bytes pass; a rule's `after` is exact
to the byte; at most `BUFFER` bytes and one read wait before the source is paused.
Cost: one copy of each piece, one wheel item a direction. Not here: sockets (`chaos.py`), the form of rules
(`chaos_rules.py`).
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from streamarena.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamarena.testing.chaos_rules import ChaosRule
    from streamarena.testing.wheel import TimerWheel

__all__ = ["BUFFER", "ChaosContext", "Direction", "Endpoint"]

BUFFER: Final = 256 * 1024
# Long enough that two sends are two packets and two reads.
_SPLIT_GAP: Final = 0.001


class Endpoint(Protocol):
    """What a direction needs of a side."""

    def write(self, data: bytes) -> None:
        """Send."""
        ...

    def write_eof(self) -> None:
        """Send a FIN and go on reading."""
        ...

    def close(self) -> None:
        """Close when everything has been sent."""
        ...

    def pause(self) -> None:
        """Stop reading."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...


class ChaosContext:
    """What all connections of a proxy share.

    Attributes:
        rules: those in force. seed: see `ChaosRule.strikes`.
        bytes: forwarded, by direction. applied: how often each kind of rule acted on a piece or a connection.
    """

    def __init__(self, rules: list[ChaosRule], seed: int) -> None:
        self.rules = rules
        self.seed = seed
        self.bytes: Counter[str] = Counter()
        self.applied: Counter[str] = Counter()
        self._wheel: TimerWheel | None = None
        self._started = 0.0

    def start(self, wheel: TimerWheel, now: float) -> None:
        """Set the timer of all directions, and the time from which rules count."""
        self._wheel, self._started = wheel, now

    @property
    def wheel(self) -> TimerWheel:
        """The one timer of all directions."""
        if self._wheel is None:
            raise ConfigurationError("the chaos proxy is not running; use `async with ChaosProxy(...) as proxy:`")
        return self._wheel

    def rules_for(self, direction: str, connection: int, now: float) -> list[tuple[int, ChaosRule]]:
        """Return the rules in force for one direction of one connection, with their places."""
        elapsed = now - self._started
        return [
            (place, rule)
            for place, rule in enumerate(self.rules)
            if rule.holds(direction, elapsed) and rule.strikes(self.seed, connection, place)
        ]

    def refuses(self, connection: int) -> bool:
        """Whether a rule refuses this connection, which counts as applied."""
        rules = self.rules_for("down", connection, time.monotonic())
        refused = any(rule.kind == "refuse" for _, rule in rules)
        if refused:
            self.applied["refuse"] += 1
        return refused


class _Piece(NamedTuple):
    due: float
    data: bytes
    apart: bool = False


class Direction:
    """The bytes from one side to the other.

    Args:
        context: rules, timer, counters. number: of the connection. name: `up` or `down`.
        source, target: the sides.
        finish: called with `cut` or `reset` when a rule ends the connection, with `eof` when a FIN was passed on.

    Attributes:
        eof_sent: the source has ended and the target was told.
    """

    def __init__(
        self,
        context: ChaosContext,
        number: int,
        name: str,
        *,
        source: Endpoint,
        target: Endpoint,
        finish: Callable[[str], None],
    ) -> None:
        self.wheel_tick = -1
        self._context = context
        self._number = number
        self._name = name
        self._endpoints = (source, target)
        self._finish: Callable[[str], None] | None = finish
        self._random = random.Random((context.seed << 32) ^ (number << 1) ^ (name == "up"))  # noqa: S311 - repeatable
        self._pieces: deque[_Piece] = deque()
        self._waiting = self._seen = 0
        self._last_due = 0.0
        self._free_at: dict[int, float] = {}
        self._stalled: set[int] = set()
        self._ending: str | None = None
        self._writable = True
        self._paused = False
        self.eof_sent = False

    # ------------------------------------------------------------ in

    def take(self, data: bytes) -> None:
        """Apply the rules to `data` and let what they leave of it wait for its time."""
        if self._ending is not None or self._finish is None:
            return
        now = time.monotonic()
        rules = self._context.rules_for(self._name, self._number, now)
        ends = [rule for _, rule in rules if rule.kind in {"cut", "reset"} and self._seen + len(data) >= rule.after]
        end = min(ends, key=lambda rule: rule.after, default=None)
        if end is not None:
            data = data[: max(0, end.after - self._seen)]
        pieces = [_Piece(now, data)] if data else []
        for place, rule in rules:
            change = _CHANGES.get(rule.kind)
            if change is not None and self._seen + len(data) > rule.after:
                before, rest = _cut_at(pieces, rule.after - self._seen)
                self._context.applied[rule.kind] += 1
                pieces = before + change(self, place, rule, rest)
        self._seen += len(data)
        for piece in pieces:
            self._last_due = max(self._last_due, piece.due)
            self._pieces.append(piece._replace(due=self._last_due))
            self._waiting += len(piece.data)
        if end is not None:
            self._context.applied[end.kind] += 1
            self._ending = end.kind
        self._balance()
        self._schedule()

    def end(self, kind: str) -> None:
        """The source is done: `eof` where it may still read, `close` where it is gone."""
        if self._ending is None or (self._ending == "eof" and kind == "close"):
            self._ending = kind
            self._schedule()

    @property
    def stalled(self) -> bool:
        """Whether pieces wait behind a stall."""
        return bool(self._stalled and self._pieces)

    def stop(self) -> None:
        """The target is gone: forget everything."""
        self._context.wheel.discard(self)
        self._pieces.clear()
        self._finish = None

    def hold(self) -> None:
        """The target reads too slowly."""
        self._writable = False

    def go_on(self) -> None:
        """The target has caught up."""
        self._writable = True
        self._schedule()

    # ------------------------------------------------------------ out

    def fire(self) -> None:
        """Send the pieces that are due; end when they are all gone."""
        now = time.monotonic()
        target = self._endpoints[1]
        while self._pieces and self._writable and self._pieces[0].due <= now:
            _, data, apart = self._pieces.popleft()
            self._waiting -= len(data)
            self._context.bytes[self._name] += len(data)
            target.write(data)
            if apart and self._pieces:
                # Also a late proxy sends such pieces one by one.
                self._pieces[0] = self._pieces[0]._replace(due=max(self._pieces[0].due, now + _SPLIT_GAP))
        self._balance()
        finish = self._finish
        if self._pieces or self._ending is None or finish is None:
            return
        if self._ending == "eof":
            if not self.eof_sent:
                self.eof_sent = True
                target.write_eof()
                finish("eof")
            return
        self._finish = None
        if self._ending == "close":
            target.close()
        else:
            finish(self._ending)

    def prepare(self) -> float | None:
        """Say when the next piece is due."""
        return self._pieces[0].due if self._pieces and self._writable and self._finish is not None else None

    def _schedule(self) -> None:
        """Come back when the next piece, or the end, is due; at once where that is now."""
        if self._finish is None:
            return
        due = self._pieces[0].due if self._pieces else 0.0
        if due <= time.monotonic():
            self.fire()
            due = self.prepare() or 0.0
        if due and self._writable:
            self._context.wheel.schedule(due, self)

    def _balance(self) -> None:
        """Stop or restart the source by how much waits."""
        source = self._endpoints[0]
        if not self._paused and self._waiting > BUFFER:
            self._paused = True
            source.pause()
        elif self._paused and self._waiting <= BUFFER // 2:
            self._paused = False
            source.resume()

    # ------------------------------------------------------------ kinds

    def delay(self, place: int, rule: ChaosRule, pieces: list[_Piece]) -> list[_Piece]:
        """Every piece comes later."""
        del place
        return [piece._replace(due=piece.due + rule.amount.sample(self._random)) for piece in pieces]

    def throttle(self, place: int, rule: ChaosRule, pieces: list[_Piece]) -> list[_Piece]:
        """Bytes pass at a speed; big pieces are cut to what passes in 20 ms."""
        speed = max(1.0, rule.amount.sample(self._random))
        step = max(1, int(speed / 50))
        slow: list[_Piece] = []
        for due, data, apart in pieces:
            for start in range(0, len(data), step):
                part = data[start : start + step]
                free = max(due, self._free_at.get(place, 0.0))
                self._free_at[place] = free + len(part) / speed
                slow.append(_Piece(self._free_at[place], part, apart))
        return slow

    def split(self, place: int, rule: ChaosRule, pieces: list[_Piece]) -> list[_Piece]:
        """Pieces become small, each in a packet of its own."""
        small: list[_Piece] = []
        del place
        for due, data, _ in pieces:
            start = 0
            while start < len(data):
                size = max(1, int(rule.amount.sample(self._random)))
                small.append(_Piece(due, data[start : start + size], apart=True))
                start += size
        return small

    def corrupt(self, place: int, rule: ChaosRule, pieces: list[_Piece]) -> list[_Piece]:
        """Some bytes change."""
        del place
        share = min(1.0, rule.amount.sample(self._random))
        changed: list[_Piece] = []
        for due, data, apart in pieces:
            spoiled = bytearray(data)
            # Skip from one changed byte to the next: the distances are geometric.
            place_in_piece = self._skip(share)
            while place_in_piece < len(spoiled):
                spoiled[place_in_piece] ^= 1 + self._random.randrange(255)
                place_in_piece += 1 + self._skip(share)
            changed.append(_Piece(due, bytes(spoiled), apart))
        return changed

    def stall(self, place: int, rule: ChaosRule, pieces: list[_Piece]) -> list[_Piece]:
        """Once in a connection, nothing passes for a while."""
        if place in self._stalled:
            return pieces
        self._stalled.add(place)
        wait = rule.amount.sample(self._random)
        return [piece._replace(due=piece.due + wait) for piece in pieces]

    def _skip(self, share: float) -> int:
        """Draw how many bytes stay sound before the next changed one."""
        if share >= 1:
            return 0
        return int(math.log(1 - self._random.random()) / math.log1p(-share)) if share > 0 else 2**62


def _cut_at(pieces: list[_Piece], offset: int) -> tuple[list[_Piece], list[_Piece]]:
    """Split a list of pieces after `offset` bytes."""
    before: list[_Piece] = []
    for index, (due, data, apart) in enumerate(pieces):
        if offset <= 0:
            return before, pieces[index:]
        if offset < len(data):
            before.append(_Piece(due, data[:offset], apart))
            return before, [_Piece(due, data[offset:], apart), *pieces[index + 1 :]]
        before.append(_Piece(due, data, apart))
        offset -= len(data)
    return before, []


_CHANGES: Final[dict[str, Callable[[Direction, int, ChaosRule, list[_Piece]], list[_Piece]]]] = {
    "delay": Direction.delay,
    "throttle": Direction.throttle,
    "split": Direction.split,
    "corrupt": Direction.corrupt,
    "stall": Direction.stall,
}
