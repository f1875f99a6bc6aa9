"""Synthetic prompts: as many words as asked, never the same twice, drawn by seed and number.

A token is taken to be one short English word, which holds to within a tenth for usual tokenizers; the report's input
tokens come from the server's usage where it gives any. Prompts begin with their number, so that no server finds a
shared prefix unless `prefix_tokens` asks for one.

Invariants: the same seed and number give the same prompt in every process; lengths are at least one token.
Cost: one join of ready-made blocks a prompt; nothing is tokenised.
Not here: data sets (`datasets.py`), bodies (`bodies.py`).
"""

from __future__ import annotations

import random
from typing import Any, Final

from streamarena.errors import ConfigurationError
from streamarena.load.bodies import body_for
from streamarena.load.requests import Conversation, LoadRequest

__all__ = ["Lengths", "Synthetic", "prompt_text"]

_TEXT: Final = """
time year people way day man thing woman life child world school state family student group country problem
hand part place case week company system program question work government number night point home water room
mother area money story fact month lot right study book eye job word business issue side kind head house
service friend father power hour game line end member law car city name team minute idea body back parent face
level office door health person art war history party result change morning reason research girl guy moment
air teacher force education foot boy age policy music market sense nation plan college interest death
experience effect use class control care field development role effort rate heart drug show leader light voice
wife police mind price report decision son view relationship town road arm difference value building action
season society tax director position player record paper space ground form event official matter center couple
site project activity star table need court oil situation cost industry figure street image phone data picture
practice piece land product
"""
_WORDS: Final = tuple(_TEXT.split())
_BLOCK: Final = 32
_BLOCKS: Final = 512


class Lengths:
    """A distribution of lengths in tokens: normal around a mean, cut at `least` and `most`.

    Args:
        mean: tokens. deviation: standard deviation; 0 gives always the mean.
        least, most: bounds, tokens.
    """

    def __init__(self, mean: float, deviation: float = 0.0, *, least: int = 1, most: int = 1_000_000) -> None:
        if mean < 1 or deviation < 0 or not 1 <= least <= most:
            raise ConfigurationError("lengths are at least 1 token, with a deviation of 0 or more")
        self.mean, self.deviation, self.least, self.most = mean, deviation, least, most

    def draw(self, source: random.Random) -> int:
        """Return one length."""
        drawn = source.gauss(self.mean, self.deviation) if self.deviation else self.mean
        return min(max(round(drawn), self.least), self.most)


class Synthetic:
    """A request source of made-up prompts.

    Args:
        input_tokens, output_tokens: lengths; a number means always that many. Without `output_tokens` no limit is
            asked for.
        prefix_tokens: tokens of a prefix that prompts share; prefixes: how many different ones there are.
        turns: questions in a conversation; more than one makes each number a conversation.
        think_seconds: before each further turn. max_history_tokens: see `Conversation`.
        exact: ask the server for exactly that many output tokens, where it knows how.
        api: the wire API of the bodies. members: further members of each body. seed: of everything.
    """

    def __init__(
        self,
        input_tokens: float | Lengths = 550,
        output_tokens: float | Lengths | None = 150,
        *,
        prefix_tokens: int = 0,
        prefixes: int = 1,
        turns: int = 1,
        think_seconds: float = 0.0,
        max_history_tokens: int | None = None,
        exact: bool = False,
        api: str = "openai-chat",
        members: dict[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        if turns < 1 or prefix_tokens < 0 or prefixes < 1:
            raise ConfigurationError("turns and prefixes are at least 1, and prefix_tokens is not negative")
        self._input = input_tokens if isinstance(input_tokens, Lengths) else Lengths(input_tokens)
        self._output = Lengths(output_tokens) if isinstance(output_tokens, int | float) else output_tokens
        self._turns = turns
        self._think = think_seconds
        self._history = max_history_tokens
        self._exact = exact
        self._api = api
        self._members = members or {}
        self._seed = seed
        self._blocks = _blocks(seed)
        self._prefixes = [self._text(random.Random(f"{seed}/prefix/{n}"), prefix_tokens) for n in range(prefixes)]  # noqa: S311 - repeatable, not secret

    def __call__(self, number: int) -> LoadRequest | Conversation:
        """Return the request, or conversation, of a number."""
        source = random.Random(f"{self._seed}/{number}")  # noqa: S311 - repeatable, not secret
        output = self._output.draw(source) if self._output is not None else None
        prefix = source.choice(self._prefixes)
        prompts = [self._prompt(source, number, turn) for turn in range(self._turns)]
        if prefix:
            prompts[0] = f"{prefix} {prompts[0]}"
        if self._turns > 1:
            lengths = {
                name: value
                for name, value in body_for(self._api, [], max_tokens=output, exact=self._exact).items()
                if name not in {"messages", "input", "contents", "prompt", "inputs"}
            }
            members = {**lengths, **self._members}
            return Conversation(
                prompts, think_seconds=(self._think,), members=members, max_history_tokens=self._history
            )
        message = {"role": "user", "content": prompts[0]}
        return LoadRequest(
            {**body_for(self._api, [message], max_tokens=output, exact=self._exact), **self._members},
        )

    def _prompt(self, source: random.Random, number: int, turn: int) -> str:
        tokens = self._input.draw(source)
        return f"{number}.{turn} {self._text(source, tokens - 1)}" if tokens > 1 else str(number)

    def _text(self, source: random.Random, tokens: int) -> str:
        return prompt_text(source, tokens, self._blocks)


def _blocks(seed: int) -> list[str]:
    source = random.Random(f"{seed}/blocks")  # noqa: S311 - repeatable, not secret
    return [" ".join(source.choices(_WORDS, k=_BLOCK)) for _ in range(_BLOCKS)]


def prompt_text(source: random.Random, tokens: int, blocks: list[str] | None = None) -> str:
    """Return a text of about `tokens` tokens."""
    ready = blocks if blocks is not None else _blocks(0)
    whole, rest = divmod(tokens, _BLOCK)
    parts = source.choices(ready, k=whole) if whole else []
    return " ".join([*parts, *source.choices(_WORDS, k=rest)])
