"""Recorded traffic: when requests came, how long they were, and which prefixes they shared.

Formats: Mooncake's JSON lines (`timestamp` in milliseconds, `input_length`, `output_length` in tokens, `hash_ids` of
512-token blocks; github.com/kvcache-ai/Mooncake), and BurstGPT's CSV (`Timestamp` in seconds, `Request tokens`,
`Response tokens`; github.com/HPMLL/BurstGPT). A trace holds lengths and no texts, so texts are made up: equal hash ids
give equal blocks, and so the recorded share of common prefixes.

Invariants: the same trace and seed give the same requests; arrivals come in order of time.
Not here: playing it (`schedule.TraceArrivals`).
"""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from streamarena.errors import ConfigurationError
from streamarena.load.bodies import body_for
from streamarena.load.datasets import read_records
from streamarena.load.requests import LoadRequest
from streamarena.load.schedule import TraceArrivals
from streamarena.load.synthetic import prompt_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Trace", "TraceEntry", "read_trace"]

_MOONCAKE_BLOCK: Final = 512


class TraceEntry(msgspec.Struct, frozen=True):
    """One recorded request: seconds from the trace's own start, tokens in and out, hashes of its prompt's blocks."""

    seconds: float
    input_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()


class Trace:
    """A request source that makes up the texts of a recorded trace.

    Args:
        entries: in any order. block_tokens: tokens of one hashed block.
        api, members: as for other sources. seed: of the texts.

    Raises:
        ConfigurationError: there are no entries.
    """

    def __init__(
        self,
        entries: Iterable[TraceEntry],
        *,
        block_tokens: int = _MOONCAKE_BLOCK,
        api: str = "openai-chat",
        members: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        self.entries = sorted(entries, key=lambda entry: entry.seconds)
        if not self.entries:
            raise ConfigurationError("a trace needs at least one entry")
        self._block_tokens = block_tokens
        self._api = api
        self._members = dict(members or {})
        self._seed = seed

    def __len__(self) -> int:
        return len(self.entries)

    def arrivals(self, *, speed: float = 1.0, max_concurrency: int | None = None) -> TraceArrivals:
        """Return the schedule that plays this trace."""
        return TraceArrivals(tuple(entry.seconds for entry in self.entries), speed, max_concurrency)

    def __call__(self, number: int) -> LoadRequest:
        """Return the request of a number; numbers beyond the last begin again."""
        entry = self.entries[number % len(self.entries)]
        message = {"role": "user", "content": self._text(number, entry)}
        body = body_for(self._api, [message], max_tokens=entry.output_tokens or None, exact=True)
        return LoadRequest({**body, **self._members}, input_tokens=entry.input_tokens)

    def _text(self, number: int, entry: TraceEntry) -> str:
        left = entry.input_tokens
        parts: list[str] = []
        for block in entry.blocks:
            source = random.Random(f"{self._seed}/block/{block}")  # noqa: S311 - repeatable, not secret
            parts.append(prompt_text(source, min(self._block_tokens, left)))
            left -= self._block_tokens
            if left <= 0:
                break
        if left > 0:
            source = random.Random(f"{self._seed}/trace/{number}")  # noqa: S311 - repeatable, not secret
            parts.append(f"{number} {prompt_text(source, left - 1)}")
        return " ".join(parts)


def read_trace(path: str | Path, **options: Any) -> Trace:  # noqa: ANN401 - the options of `Trace`
    """Read a trace; a file named `.csv` is BurstGPT's format, any other Mooncake's.

    Raises:
        ConfigurationError: the file is not in its format. OSError: it cannot be read.
    """
    read = _burst_gpt if str(path).lower().endswith(".csv") else _mooncake
    try:
        return Trace(read(path), **options)
    except (KeyError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} is not a trace that is known here: {error!r}") from error


def _mooncake(path: str | Path) -> list[TraceEntry]:
    return [
        TraceEntry(
            float(record["timestamp"]) / 1000,
            int(record["input_length"]),
            int(record["output_length"]),
            tuple(record.get("hash_ids") or ()),
        )
        for record in read_records(path)
    ]


def _burst_gpt(path: str | Path) -> list[TraceEntry]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return [
            TraceEntry(float(row["Timestamp"]), int(row["Request tokens"]), int(row["Response tokens"]))
            for row in rows
            if int(row["Response tokens"]) > 0  # the others failed when they were recorded
        ]
