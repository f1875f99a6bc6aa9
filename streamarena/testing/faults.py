"""The ways in which a model server fails, each a small change to a sound response.

A fault is a function from a sound `Plan` to the frames that go out; `FAULTS` names them all, with what its number means
and when it strikes by default. Those at frame 0 act before the first content. What each looks like to a client is in
its line of the table.

Invariants: apart from the fault itself the bytes are those of a sound response; a fault's own bytes are bounded by
`MAX_FAULT_BYTES`. Not here: which request gets which fault (`settings.py`, `fake_llm.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from streamarena.errors import ConfigurationError
from streamarena.testing.frames import LAST_CHUNK, Action, Frame, Plan, chunked, render

__all__ = ["FAULTS", "Fault", "FaultContext", "FaultKind", "MAX_FAULT_BYTES", "apply_fault", "parse_fault"]

MAX_FAULT_BYTES: Final = 64 * 2**20

_HTML: Final = b"<!doctype html>\n<html><head><title>Sign in</title></head><body>Sign in to continue</body></html>\n"


class Fault(msgspec.Struct, frozen=True):
    """One way in which a reply goes wrong.

    Args:
        name: a name of `FAULTS`.
        number: the fault's own number (status, seconds, bytes); None means its default.
        at: after how many content frames it strikes; None means its default.
    """

    name: str
    number: float | None = None
    at: int | None = None

    def __str__(self) -> str:
        number = "" if self.number is None else f":{self.number:g}"
        return f"{self.name}{number}{'' if self.at is None else f'@{self.at}'}"


class FaultContext(msgspec.Struct):
    """What a fault may need of the request's API.

    Args:
        error_event: bytes of an error in the middle of a stream.
        error_plan: makes the response for an error status.
        ping: bytes of one keep-alive of this API, as a piece of the body.
        freeze: holds the whole server for some seconds.
    """

    error_event: Callable[[], bytes]
    error_plan: Callable[[int], Plan]
    ping: bytes
    freeze: Callable[[float], None]


_Render = Callable[[Plan, Fault, FaultContext], Iterator[Frame]]


class FaultKind(msgspec.Struct, frozen=True):
    """One row of the table.

    Args:
        render: makes the frames. help: what a client sees. number: default of the fault's number.
        meaning: what the number is. at: default count of content frames before it strikes.
    """

    render: _Render
    help: str
    number: float = 0.0
    meaning: str = ""
    at: int = 5


def apply_fault(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    """Return the frames of `plan` as this fault spoils them."""
    kind = FAULTS[fault.name]
    number = kind.number if fault.number is None else fault.number
    # A reply that is not streamed is one content frame: faults strike in front of it.
    at = 0 if plan.length is not None else kind.at if fault.at is None else fault.at
    full = Fault(fault.name, number, at)
    return kind.render(plan, full, context)


def parse_fault(text: str) -> Fault:
    """Read `name`, `name:number`, `name@at` or `name:number@at`.

    Raises:
        ConfigurationError: the name is not in `FAULTS`, or a number is none.
    """
    head, _, at = text.strip().partition("@")
    name, _, number = head.partition(":")
    if name not in FAULTS:
        raise ConfigurationError(f"unknown fault {name!r}; known: {', '.join(FAULTS)}")
    try:
        return Fault(name, float(number) if number else None, int(at) if at else None)
    except ValueError:
        raise ConfigurationError(f"{text!r} is not a fault of the form name[:number][@frames]") from None


def _before(plan: Plan, fault: Fault) -> Iterator[Frame]:
    """Yield the body's frames up to and with the content frame after which the fault strikes."""
    left = fault.at or 0
    if left <= 0:
        # The start of a stream belongs before the first content: it may carry frames without tokens.
        for frame in plan.body:
            if frame.tokens:
                plan.body = itertools.chain((frame,), plan.body)
                return
            yield frame
    for frame in plan.body:
        yield frame
        left -= 1 if frame.tokens else 0
        if left <= 0:
            return


def _following(plan: Plan) -> Frame:
    """Return the next frame of the body, or an empty one at its end."""
    return next(plan.body, Frame(0.0, b"{}"))


def _with_body(plan: Plan, body: Iterator[Frame]) -> Iterator[Frame]:
    """_Render the same head with another body, sent until it ends or stops."""
    return render(Plan(plan.status, plan.headers, body, plan.length))


def _none(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del fault, context
    return render(plan)


def _status(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del plan
    return render(context.error_plan(int(fault.number or 500)))


def _error(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    if plan.length is not None:
        return render(context.error_plan(500))

    def body() -> Iterator[Frame]:
        yield from _before(plan, fault)
        yield Frame(_following(plan).delay, context.error_event())

    return _with_body(plan, body())


def _cut(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del context

    def body() -> Iterator[Frame]:
        yield from _before(plan, fault)
        frame = _following(plan)
        yield Frame(frame.delay, frame.data[: max(1, len(frame.data) // 2)], action=Action.CLOSE)

    return _with_body(plan, body())


def _reset(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del context

    def body() -> Iterator[Frame]:
        yield from _before(plan, fault)
        yield Frame(_following(plan).delay, b"", action=Action.ABORT)

    return _with_body(plan, body())


def _reset_before_headers(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del plan, fault, context
    yield Frame(0.0, b"", action=Action.ABORT)


def _stall(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del context

    def body() -> Iterator[Frame]:
        yield from _before(plan, fault)
        yield Frame(0.0, b"", action=Action.STALL)

    return _with_body(plan, body())


def _stall_before_headers(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del plan, fault, context
    yield Frame(0.0, b"", action=Action.STALL)


def _pause(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del context

    def body() -> Iterator[Frame]:
        yield from _before(plan, fault)
        frame = _following(plan)
        yield Frame(frame.delay + (fault.number or 0.0), frame.data, frame.tokens, frame.action)
        yield from plan.body

    return _with_body(plan, body())


def _freeze(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    def body() -> Iterator[Frame]:
        yield from _before(plan, fault)
        context.freeze(fault.number or 0.0)
        yield from plan.body

    return _with_body(plan, body())


def _garbage(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del context

    def body() -> Iterator[Frame]:
        yield from _before(plan, fault)
        frame = _following(plan)
        spoiled = frame.data.replace(b"{", b"{\xff\xfe<", 1) if b"{" in frame.data else b"\xff\xfe<" + frame.data
        yield Frame(frame.delay, spoiled, frame.tokens, frame.action)
        yield from plan.body

    return render(Plan(plan.status, plan.headers, body(), None))


def _role_only(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del fault, context
    return render(plan) if plan.length is not None else _with_body(plan, _without_content(plan))


def _without_content(plan: Plan) -> Iterator[Frame]:
    """Keep only the frames that carry no content; the content's time passes all the same."""
    delay = 0.0
    for frame in plan.body:
        delay += frame.delay
        if not frame.tokens:
            yield Frame(delay, frame.data, action=frame.action)
            delay = 0.0


def _ping_storm(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    def body() -> Iterator[Frame]:
        yield from _before(plan, fault)
        while True:
            yield Frame(max(0.001, fault.number or 0.0), context.ping)

    return render(Plan(plan.status, plan.headers, body(), None))


def _html(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del plan, fault, context
    headers = [("content-type", "text/html; charset=utf-8")]
    return render(Plan(200, headers, iter((Frame(0.0, _HTML, action=Action.END),)), len(_HTML)))


def _content_type(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del fault, context
    kept = [(name, value) for name, value in plan.headers if name != "content-type"]
    return render(Plan(plan.status, [*kept, ("content-type", "text/plain")], plan.body, plan.length))


def _huge_header(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del context
    size = min(int(fault.number or 0), MAX_FAULT_BYTES)
    return render(Plan(plan.status, [*plan.headers, ("x-padding", "a" * size)], plan.body, plan.length))


def _slow_headers(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del context
    yield from (Frame(fault.number or 0.0, bytes((byte,))) for byte in plan.head())
    rendered = render(plan)
    first = next(rendered)
    yield Frame(first.delay, first.data[len(plan.head()) :], first.tokens, first.action)
    yield from rendered


def _bad_chunk(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del context
    yield Frame(0.0, Plan(plan.status, plan.headers, plan.body, None).head())
    for frame in _before(plan, fault):
        yield Frame(frame.delay, chunked(frame.data), frame.tokens)
    frame = _following(plan)
    yield Frame(frame.delay, b"zz\r\n" + frame.data + b"\r\n", action=Action.CLOSE)


def _extra_bytes(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del context
    extra = b"x" * min(int(fault.number or 0), MAX_FAULT_BYTES)
    for frame in render(plan):
        last = frame.action is Action.END
        yield Frame(frame.delay, frame.data + extra if last else frame.data, frame.tokens, frame.action)


def _close_idle(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del fault, context
    for frame in render(plan):
        action = Action.CLOSE if frame.action is Action.END else frame.action
        yield Frame(frame.delay, frame.data, frame.tokens, action)


def _no_end(plan: Plan, fault: Fault, context: FaultContext) -> Iterator[Frame]:
    del context
    yield Frame(0.0, Plan(plan.status, plan.headers, plan.body, None).head())
    for frame in _before(plan, fault):
        yield Frame(frame.delay, chunked(frame.data), frame.tokens)
    yield Frame(0.0, LAST_CHUNK, action=Action.END)


FAULTS: Final[dict[str, FaultKind]] = {
    "none": FaultKind(_none, "nothing goes wrong, even where the server draws faults by share", at=0),
    "status": FaultKind(_status, "an error status with the API's JSON error; 429 has Retry-After", 500, "status", 0),
    "error": FaultKind(_error, "an error event in the middle of the stream, then its end"),
    "cut": FaultKind(_cut, "the connection is closed in the middle of an event"),
    "no-end": FaultKind(_no_end, "the body ends as HTTP demands, but the API's end marker never came"),
    "reset": FaultKind(_reset, "the connection is dropped between two events"),
    "reset-before-headers": FaultKind(_reset_before_headers, "the connection is dropped, no byte was sent", at=0),
    "stall": FaultKind(_stall, "nothing more is sent and the connection stays open; @0: before the first content"),
    "stall-before-headers": FaultKind(_stall_before_headers, "the request is read and never answered", at=0),
    "pause": FaultKind(_pause, "nothing is sent for a while, then all goes on", 1.0, "seconds"),
    "freeze": FaultKind(_freeze, "the whole server sends nothing to anyone for a while", 1.0, "seconds", 0),
    "garbage": FaultKind(_garbage, "one event is not JSON"),
    "role-only": FaultKind(
        _role_only, "the stream starts and ends, and has no content; whole replies stay sound", at=0
    ),
    "ping-storm": FaultKind(_ping_storm, "keep-alives for ever, and no more content", 0.01, "seconds between", 0),
    "html": FaultKind(_html, "status 200 with an HTML page", at=0),
    "content-type": FaultKind(_content_type, "the right body with content type text/plain", at=0),
    "huge-header": FaultKind(_huge_header, "a response header of many bytes", 128 * 1024, "bytes", 0),
    "slow-headers": FaultKind(_slow_headers, "the head comes one byte at a time", 0.02, "seconds between", 0),
    "bad-chunk": FaultKind(_bad_chunk, "a chunk size that is not a number"),
    "extra-bytes": FaultKind(_extra_bytes, "bytes after the end of the response", 16, "bytes", 0),
    "close-idle": FaultKind(_close_idle, "the connection is closed right after a complete response", at=0),
}
"""Every fault by name."""
