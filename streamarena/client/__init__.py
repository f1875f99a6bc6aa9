"""The streaming HTTP client: one request is one scope, and the receive path holds nothing per connection (floor 2)."""

from __future__ import annotations

from streamarena.client.breaker import BreakerPolicy, BreakerState, CircuitBreaker
from streamarena.client.client import StreamClient, StreamRequest
from streamarena.client.connection import ResponseHead
from streamarena.client.connector import ClientCertificate
from streamarena.client.endpoints import ENDPOINTS, Endpoint
from streamarena.client.exchange import RawClient, RawRequest, RawResponse, RawTimeouts
from streamarena.client.hedging import HedgePolicy, HedgeStats
from streamarena.client.observers import (
    AttemptFailed,
    AttemptStarted,
    FirstContent,
    HeadersReceived,
    Moment,
    Observer,
    StreamFinished,
)
from streamarena.client.pool import ConnectionPoolStats
from streamarena.client.result import StreamResult, Timings
from streamarena.client.retry import Attempt, RetryBudget, RetryPolicy
from streamarena.client.settings import Limits, Timeouts
from streamarena.client.stream import ChunkStream, EventStream
from streamarena.client.targets import Target

__all__ = [
    "StreamClient",
    "StreamRequest",
    "ChunkStream",
    "EventStream",
    "StreamResult",
    "Timings",
    "Timeouts",
    "Limits",
    "ClientCertificate",
    "RetryPolicy",
    "RetryBudget",
    "Attempt",
    "Target",
    "BreakerPolicy",
    "BreakerState",
    "CircuitBreaker",
    "HedgePolicy",
    "HedgeStats",
    "Observer",
    "Moment",
    "AttemptStarted",
    "HeadersReceived",
    "FirstContent",
    "AttemptFailed",
    "StreamFinished",
    "Endpoint",
    "ENDPOINTS",
    "ResponseHead",
    "ConnectionPoolStats",
    "RawClient",
    "RawRequest",
    "RawResponse",
    "RawTimeouts",
]
