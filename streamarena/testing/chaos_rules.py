"""What a chaos proxy does to the bytes that pass, and when: rules, as data.

A rule is `kind[:number][,name=value...]`, for instance `"delay:normal:50ms:10ms"`, `"cut,after=2000,share=0.1"`,
`"stall:2,direction=down,from=10,until=20"` or `"corrupt:0.001"`. `KINDS` says what each kind does.

Invariants: rules are immutable; which connections a rule with a share strikes depends on the proxy's seed, the number
of the connection and the rule's place only.
Not here: sockets and time (`chaos.py`).
"""

from __future__ import annotations

import math
import random
from typing import Final, Literal, TypeAlias

import msgspec

from streamarena.errors import ConfigurationError
from streamarena.testing.distributions import Distribution, parse_distribution

__all__ = ["ChaosRule", "Direction", "KINDS", "parse_rule"]

Direction: TypeAlias = Literal["down", "up", "both"]

# Each kind: its number's default (None: it must be given; 0 where it takes none), and what it does.
KINDS: Final[dict[str, tuple[float | None, str]]] = {
    "delay": (None, "every piece arrives NUMBER seconds later, in order; NUMBER may be a distribution"),
    "throttle": (None, "at most NUMBER bytes a second"),
    "split": (1, "pieces of at most NUMBER bytes, each in a packet of its own"),
    "corrupt": (0.001, "each byte is changed with probability NUMBER"),
    "stall": (math.inf, "nothing passes for NUMBER seconds, then all goes on; without NUMBER for ever"),
    "cut": (0, "the connection is closed (FIN) to both sides"),
    "reset": (0, "the connection is dropped (RST) to both sides"),
    "refuse": (0, "the connection is closed as soon as it is accepted"),
}


class ChaosRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule.

    Args:
        kind: a name of `KINDS`.
        amount: the kind's number, possibly distributed: seconds, bytes a second, bytes or a probability.
        direction: `down` (to the client), `up` (to the server) or `both`.
        share: of the connections that it strikes.
        after: bytes that pass first, in that direction of that connection.
        start, stop: seconds since the proxy started, between which it holds.
    """

    kind: str
    amount: Distribution
    direction: Direction = "down"
    share: float = 1.0
    after: int = 0
    start: float = 0.0
    stop: float = math.inf

    def holds(self, direction: str, seconds: float) -> bool:
        """Whether the rule acts in this direction now."""
        return self.direction in {direction, "both"} and self.start <= seconds < self.stop

    def strikes(self, seed: int, connection: int, place: int) -> bool:
        """Whether the rule, at `place` in the list, is for this connection."""
        if self.share >= 1:
            return True
        source = random.Random((seed << 40) ^ (connection << 8) ^ place)  # noqa: S311 - repeatable, not secret
        return source.random() < self.share


def parse_rule(text: str | ChaosRule) -> ChaosRule:
    """Read a rule; see the module for its form.

    Raises:
        ConfigurationError: an unknown kind or name, or a value that cannot be used.
    """
    if isinstance(text, ChaosRule):
        return text
    head, *pairs = (part.strip() for part in text.split(","))
    kind, _, number = head.partition(":")
    if kind not in KINDS:
        raise ConfigurationError(f"unknown kind of chaos {kind!r}; known: {', '.join(KINDS)}")
    default = KINDS[kind][0]
    if not number and default is None:
        raise ConfigurationError(f"{kind!r} needs a number: {KINDS[kind][1]}")
    # For ever is the one amount that is no finite number; a year is as good here.
    amount = parse_distribution(number or min(default or 0.0, 365 * 86400.0))
    if kind in {"split", "throttle"} and amount.mean < 1:
        raise ConfigurationError(f"{kind!r} needs at least 1 byte, not {number}")
    try:
        fields = msgspec.convert(_fields(pairs), _Fields, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{text!r}: {error}") from None
    return ChaosRule(
        kind=kind,
        amount=amount,
        direction=fields.direction,
        share=fields.share,
        after=fields.after,
        start=fields.start,
        stop=fields.stop,
    )


class _Fields(msgspec.Struct, forbid_unknown_fields=True, rename={"start": "from", "stop": "until"}):
    direction: Direction = "down"
    share: float = 1.0
    after: int = 0
    start: float = 0.0
    stop: float = math.inf


def _fields(pairs: list[str]) -> dict[str, str]:
    """Split `name=value` texts."""
    split = [pair.partition("=") for pair in pairs]
    wrong = next((name for name, equals, _ in split if not equals), None)
    if wrong is not None:
        raise ConfigurationError(f"{wrong!r} is not of the form name=value")
    return {name.strip(): value.strip() for name, _, value in split}
