"""Stages over streams, fused into one synchronous loop, with asynchronous boundaries (floor 2).

`Pipeline(f, filter(p), map_async(g, concurrency=8)).over(source)` gives a `Flow`, which is read as items, as lists, or
by a callback. `BatchIterator` is the base of everything in the house that is read so.
"""

from __future__ import annotations

from streamarena.pipeline.budget import BudgetState, token_budget
from streamarena.pipeline.flow import Batches, BatchIterator, Flow
from streamarena.pipeline.pipeline import Keep, Pipeline
from streamarena.pipeline.reaper import ReaperStats, reap, reaper_stats
from streamarena.pipeline.run import Run
from streamarena.pipeline.sources import BatchSource, BatchStream, PushSource, Source
from streamarena.pipeline.stages import filter, flat_map, map, map_async, stateful, tap
from streamarena.pipeline.steps import FeedStage, Stage, StageLike

__all__ = [
    "Pipeline",
    "Stage",
    "StageLike",
    "Keep",
    "FeedStage",
    "map",
    "flat_map",
    "filter",
    "tap",
    "stateful",
    "map_async",
    "token_budget",
    "BudgetState",
    "Flow",
    "BatchIterator",
    "Batches",
    "Run",
    "Source",
    "BatchSource",
    "PushSource",
    "BatchStream",
    "reap",
    "reaper_stats",
    "ReaperStats",
]
