"""`streamarena decode`: print a recorded stream as its events, its chunks, or the message that it came to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import click
import msgspec

from streamarena.errors import StreamArenaError, UnexpectedContentError
from streamarena.providers import (
    APIS,
    Accumulator,
    Chunk,
    Decoder,
    WireEvent,
    decoder_for,
    detect_api,
    framer_for,
    last_events,
)
from streamarena.sse import ServerSentEvent

__all__ = ["command"]

_PIECE = 64 * 1024
_LOOKED_AT = 32  # events that may pass before --api auto gives up


@click.command("decode", short_help="Print a recorded stream as events, chunks or its final message.")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--api", type=click.Choice(["auto", *APIS]), default="auto", show_default=True, help="The API that it speaks."
)
@click.option(
    "--as",
    "form",
    type=click.Choice(["events", "chunks", "message"]),
    default="chunks",
    show_default=True,
    help="Events and chunks are printed one JSON object a line.",
)
@click.option("--to", type=click.Choice(APIS), help="With --as message: the API whose form the message takes.")
@click.option("--content-type", help="Of the recorded response, where the first bytes do not tell.")
def command(file: BinaryIO, api: str, form: str, to: str | None, content_type: str | None) -> None:
    """Print the recorded stream in FILE (- for standard input).

    \b
    curl -N ... | tee answer.sse | streamarena decode -
    streamarena decode answer.sse --as message
    streamarena decode answer.sse --as message --to anthropic

    A summary goes to standard error. Exit codes: 0 complete; 1 cut short, or ended by an error; 2 wrong usage.
    """  # noqa: D301 - click knows its marker as one character, not as a backslash and a letter
    if to is not None and form != "message":
        raise click.UsageError("--to is the form of a message: give --as message too")
    events = _events(file, content_type, None if api == "auto" else api)
    if form == "events":
        _print_events(events)
        return
    first = list(_first(events)) if api == "auto" else []
    found = detect_api(first) if api == "auto" else api
    if found is None:
        raise click.UsageError("no event tells which API this is; name it with --api")
    _Printer(found, form, to).run(_chain(first, events))


def _first(events: Iterator[ServerSentEvent]) -> Iterator[ServerSentEvent]:
    """Yield events up to the first that tells the API."""
    for count, event in enumerate(events):
        yield event
        if count + 1 == _LOOKED_AT or detect_api((event,)) is not None:
            return


def _chain(first: list[ServerSentEvent], rest: Iterator[ServerSentEvent]) -> Iterator[ServerSentEvent]:
    yield from first
    yield from rest


def _events(file: BinaryIO, content_type: str | None, api: str | None) -> Iterator[ServerSentEvent]:
    """Yield the events of a body; one JSON object, a reply that was not streamed, is one event."""
    piece = file.read(_PIECE)
    try:
        framer = framer_for(content_type, piece, api)
    except UnexpectedContentError:
        lines = framer_for("application/x-ndjson")
        if not piece.lstrip().startswith(b"{"):
            raise
        whole = piece + file.read()
        yield from _one_or_lines(whole, [*lines.feed(whole), *last_events(lines)])
        return
    while piece:
        yield from framer.feed(piece)
        piece = file.read(_PIECE)
    yield from last_events(framer)
    framer.close()


def _one_or_lines(whole: bytes, lines: list[ServerSentEvent]) -> list[ServerSentEvent]:
    try:
        msgspec.json.decode(whole)
    except msgspec.DecodeError:
        return lines
    return [ServerSentEvent(whole)]


def _print_events(events: Iterator[ServerSentEvent]) -> None:
    count = 0
    for event in events:
        count += 1
        try:
            data: Any = event.json()
        except ValueError:
            data = event.data
        _print({"event": event.event, **({"id": event.id} if event.id else {}), "data": data})
    click.echo(f"{count} events", err=True)


class _Printer:
    """Decodes events and prints what was asked for."""

    def __init__(self, api: str, form: str, to: str | None) -> None:
        self._api = api
        self._decoder: Decoder = decoder_for(api)
        self._form = form
        self._to = to
        self._accumulator = Accumulator(api)
        self._events = self._chunks = 0

    def run(self, events: Iterator[WireEvent]) -> None:
        """Print all, then the summary; exit with 1 where the stream did not come to its own good end."""
        problem: StreamArenaError | None = None
        try:
            for event in events:
                self._events += 1
                self._take(self._decoder.decode(event))
        except StreamArenaError as error:
            problem = error
        self._take(self._decoder.finish())
        if self._form == "message":
            _print(self._accumulator.message(self._to), indent=2)
        self._summarise(problem)

    def _take(self, chunks: Sequence[Chunk]) -> None:
        self._chunks += len(chunks)
        self._accumulator.extend(chunks)
        if self._form == "chunks":
            for chunk in chunks:
                _print({"kind": chunk.kind, **_told(chunk)})

    def _summarise(self, problem: StreamArenaError | None) -> None:
        error = self._accumulator.reply().error
        outcome = "complete" if self._decoder.complete else "cut short"
        if problem is not None:
            outcome = f"not decodable any further: {problem}"
        elif error is not None:
            outcome = f"ended by an error: {error.message}"
        fallbacks = self._decoder.fallbacks
        tolerant = f", {fallbacks} of them read tolerantly" if fallbacks else ""
        click.echo(f"{self._api}: {self._events} events{tolerant}, {self._chunks} chunks; {outcome}", err=True)
        if outcome != "complete":
            raise SystemExit(1)


def _told(chunk: msgspec.Struct) -> dict[str, Any]:
    """Return the members of a chunk that say something: those that are not at their default."""
    fields = msgspec.structs.fields(type(chunk))
    members = {field.name: getattr(chunk, field.name) for field in fields}
    return {
        field.name: members[field.name] for field in fields if field.required or members[field.name] != field.default
    }


def _print(value: object, indent: int = 0) -> None:
    text = msgspec.json.encode(value)
    click.echo(msgspec.json.format(text, indent=indent) if indent else text)
