"""Load tests for token streams, honest about themselves (floor 3).

`result = await LoadTest(LoadPlan(url=..., model=..., requests=Synthetic(), request_count=100)).run()` sends requests
on a schedule, measures each stream in its read callback, and says how far its own stamps may be off.
"""

from __future__ import annotations

from streamarena.histogram import Histogram
from streamarena.load.engines import Engine, InProcess, Receiver
from streamarena.load.interval import Interval, decode_interval, encode_interval
from streamarena.load.load_test import LoadTest
from streamarena.load.metrics import METRICS, Metric
from streamarena.load.plan import DropStreams, LoadPlan
from streamarena.load.processes import Processes
from streamarena.load.requests import Conversation, LoadRequest, RequestSource
from streamarena.load.schedule import ClosedLoop, OpenLoop, Schedule, Stage, TraceArrivals
from streamarena.load.summary import LoadResult
from streamarena.load.synthetic import Lengths, Synthetic
from streamarena.load.totals import Totals
from streamarena.load.verdict import Verdict
from streamarena.load.worker import Worker

__all__ = [
    "LoadTest",
    "LoadPlan",
    "LoadResult",
    "Verdict",
    "ClosedLoop",
    "OpenLoop",
    "TraceArrivals",
    "Stage",
    "Schedule",
    "LoadRequest",
    "Conversation",
    "RequestSource",
    "Synthetic",
    "Lengths",
    "DropStreams",
    "METRICS",
    "Metric",
    "Histogram",
    "Totals",
    "Engine",
    "InProcess",
    "Processes",
    "Receiver",
    "Worker",
    "Interval",
    "encode_interval",
    "decode_interval",
]
