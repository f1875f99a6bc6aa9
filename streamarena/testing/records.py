"""What the fake server did and when: counters, and for each request the stamps of its own sends.

Invariants: stamps are `time.monotonic_ns()` taken right before the bytes are handed to the transport, one for each
content frame; on Linux that clock is shared by all processes, so a client on the same machine may subtract its own.
The history keeps the last `limit` finished requests and counts those it dropped; stamps of one request are capped too.

Cost: 8 bytes a stamp and 8 for its token count. Not here: percentiles; whoever compares does them.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter, deque
from typing import Any, Final

__all__ = ["RequestRecord", "STAMPS_PER_REQUEST", "ServerStatistics"]

STAMPS_PER_REQUEST: Final = 100_000


class RequestRecord:
    """One request as the server saw it. Times are monotonic nanoseconds; 0 means that it did not happen.

    Attributes:
        number: 1 for the first request of this server; also in the `x-request-id` response header.
        client_id: the `x-request-id` the client sent, if any.
        api, model: what was asked for. fault: the injected fault's name, or None.
        outcome: `open`, `finished`, `cancelled` (the client left), `failed` (the fault ended it), `refused`, or
            `stopped` (the server was closed).
        received, admitted, setup, finished: the request was read in full; it left the queue; the response's head (and
            role-only chunk) was sent; the last byte was sent or the client left.
        stamps: one send time for each content frame; tokens: how many tokens that frame carried.
        input_tokens, output_tokens: as reported in the usage.
        dropped_stamps: frames beyond the cap of stamps.
    """

    __slots__ = (
        "admitted",
        "api",
        "client_id",
        "dropped_stamps",
        "fault",
        "finished",
        "input_tokens",
        "model",
        "number",
        "outcome",
        "output_tokens",
        "received",
        "setup",
        "stamps",
        "tokens",
    )

    def __init__(self, number: int, api: str, model: str, client_id: str | None = None) -> None:
        self.number = number
        self.api = api
        self.model = model
        self.client_id = client_id
        self.fault: str | None = None
        self.outcome = "open"
        self.received = time.monotonic_ns()
        self.admitted = self.setup = self.finished = 0
        self.stamps = array("q")
        self.tokens = array("q")
        self.input_tokens = self.output_tokens = self.dropped_stamps = 0

    def stamp(self, tokens: int) -> None:
        """Note that a content frame of `tokens` tokens is being sent now."""
        if len(self.stamps) < STAMPS_PER_REQUEST:
            self.stamps.append(time.monotonic_ns())
            self.tokens.append(tokens)
        else:
            self.dropped_stamps += 1

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-like values."""
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return values | {"stamps": self.stamps.tolist(), "tokens": self.tokens.tolist()}


class ServerStatistics:
    """Counters of a server and the last finished requests.

    Args:
        limit: how many finished requests are kept with their stamps.

    Attributes:
        connections, open_connections: accepted in all; open now.
        requests, active, queued: read in full; being answered; waiting for a slot.
        outcomes, faults, apis: counts by name.
        frames, sent_bytes: content frames and body bytes handed to the transports.
        records: the last finished requests, oldest first; dropped_records: how many fell out.
    """

    def __init__(self, limit: int = 1000) -> None:
        self.connections = self.open_connections = 0
        self.requests = self.active = self.queued = 0
        self.frames = self.sent_bytes = 0
        self.outcomes: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.apis: Counter[str] = Counter()
        self.records: deque[RequestRecord] = deque(maxlen=limit)
        self.dropped_records = 0

    @property
    def cancelled(self) -> int:
        """Requests whose client left before the end."""
        return self.outcomes["cancelled"]

    def begin(self, record: RequestRecord) -> None:
        """Count a request that was read in full."""
        self.requests += 1
        self.active += 1
        self.apis[record.api] += 1
        if record.fault:
            self.faults[record.fault] += 1

    def end(self, record: RequestRecord, outcome: str) -> None:
        """Count how a request ended and keep its record."""
        record.outcome = outcome
        record.finished = time.monotonic_ns()
        self.active -= 1
        self.outcomes[outcome] += 1
        if len(self.records) == self.records.maxlen:
            self.dropped_records += 1
        self.records.append(record)

    def as_dict(self, records: int = 0) -> dict[str, Any]:
        """Return the counters, and the last `records` requests, as JSON-like values."""
        last = list(self.records)[-records:] if records > 0 else []
        return {
            "connections": self.connections,
            "open_connections": self.open_connections,
            "requests": self.requests,
            "active": self.active,
            "queued": self.queued,
            "frames": self.frames,
            "sent_bytes": self.sent_bytes,
            "cancelled": self.cancelled,
            "outcomes": dict(self.outcomes),
            "faults": dict(self.faults),
            "apis": dict(self.apis),
            "dropped_records": self.dropped_records,
            "records": [record.as_dict() for record in last],
        }
