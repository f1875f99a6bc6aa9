"""Text stages over a streamed body: events whose text a stage changes are written anew, all other bytes stay.

Where text is held back because it may become a match, the event that brought it waits, and goes out with the next event
of its run or with the run's end; it then carries the text that is decided by then. So no event is made up, none is
lost, and numbers and names that the provider put into its events stay in order.

Invariants:
* Of a changed event only the JSON string of the text is replaced; an event without a change is the bytes that came.
* At most one event of each run waits; everything else passes it. Events of one run keep their order.
* The text of a run, as a reader joins it, is what the editors made of all of it.
* A stop closes the stream in its own form; what comes after it is dropped.
Cost: one untyped parse an event that may carry text, and the stages. Without a change not a byte is copied but by the
splitter.
Not here: streams of a wire without a reader: they pass, and `unstaged` says so.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson

from streamarena.errors import CapacityExceededError, ConfigurationError
from streamarena.providers import detect_api
from streamarena.providers.json_values import is_object
from streamarena.relay.texts.blocks import Block, BlockSplitter, read_block, with_data
from streamarena.relay.texts.json_spans import Path, replace_values
from streamarena.relay.texts.mirror import Mirror
from streamarena.relay.texts.places import EVERY_RUN, READERS, Place, RunEnd
from streamarena.relay.texts.stages import EditorChain, may_stop
from streamarena.sse import ServerSentEvent

if TYPE_CHECKING:
    from streamarena.relay.texts.stages import AnyStage

__all__ = ["Rewriter"]

_MOST_RUNS: Final = 256
_TELLING_EVENTS: Final = 16
"""As for the tap: so many events may leave it open which wire this is."""


class Rewriter:
    """Rewrites one body.

    Args:
        stages: text stages in their order.
        api: the wire API as far as it is known; what the events say overrules it.
        lines: whether the body is NDJSON.
        max_event_bytes: the largest event that may wait here.

    Attributes:
        stopped: whether a stage has ended the answer; what `feed` returned then is the end of the body.
        unstaged: whether events passed without the stages, being of a wire that has no reader or no JSON objects.
    """

    __slots__ = (
        "_api",
        "_lines",
        "_mirror",
        "_mirrored",
        "_recognised",
        "_runs",
        "_seen",
        "_splitter",
        "_stages",
        "_waiting",
        "stopped",
        "unstaged",
    )

    def __init__(self, stages: Sequence[AnyStage], api: str | None, *, lines: bool, max_event_bytes: int) -> None:
        self._stages = stages
        self._api = api
        self._lines = lines
        self._splitter = BlockSplitter(lines=lines, max_bytes=max_event_bytes, setting="StreamLimits.event_bytes")
        self._runs: dict[Hashable, EditorChain] = {}
        self._waiting: list[_Edit] = []
        self._mirrored = any(may_stop(stage) for stage in stages)
        self._mirror: Mirror | None = None
        self._recognised = False
        self._seen = 0
        self.stopped = False
        self.unstaged = False

    def feed(self, data: bytes) -> bytes:
        """Return what is to be sent now; may be empty.

        Raises:
            EventTooLargeError: an event is larger than may wait here.
            CapacityExceededError: more texts run side by side than a stream has.
            Exception: what a user's function raised.
        """
        out: list[bytes] = []
        for raw in self._splitter.feed(data):
            self._take(raw, out)
            if self.stopped:
                break
        return b"".join(out)

    def finish(self) -> bytes:
        """Return what the end of the body leaves to be sent."""
        out: list[bytes] = []
        rest = self._splitter.rest()
        if rest:
            self._take(rest, out)
        if not self.stopped:
            self._end_all(out)
        return b"".join(out)

    # ------------------------------------------------------------ blocks

    def _take(self, raw: bytes, out: list[bytes]) -> None:
        block = read_block(raw, lines=self._lines)
        if block.data is None:
            out.append(raw)
            return
        if block.data == b"[DONE]":
            self._end_all(out)
            out.append(raw)
            return
        reader = READERS.get(self._wire(block) or "")
        event = _parsed(block.data) if reader is not None else None
        if reader is None or event is None:
            self.unstaged = True
            out.append(raw)
            return
        found = list(reader(event))
        edit = _Edit(block)
        if found:
            self._edit(edit, found, out)
        else:
            self._send(edit, out)

    def _wire(self, block: Block) -> str | None:
        """Return the wire API, which the first telling event decides for good."""
        if not self._recognised:
            self._seen += 1
            assert block.data is not None
            told = detect_api([ServerSentEvent(block.data, block.name)])
            self._api = told or self._api
            self._recognised = told is not None or self._seen >= _TELLING_EVENTS
        return self._api

    def _edit(self, edit: _Edit, found: Sequence[Place | RunEnd], out: list[bytes]) -> None:
        """Edit the texts of an event, and send those that waited for it."""
        ready = self._released_by({item.run for item in found})
        stopped_by: str | None = None
        for item in found:
            if isinstance(item, RunEnd):
                self._end(item.run, [edit, *ready])
            elif item.whole:
                edit.change(item, _whole(self._stages, item.text))
            else:
                editor = self._editor(item.run)
                edit.change(item, editor.feed(item.text))
                if editor.stopped is not None:
                    edit.append(item.run, editor.flush())
                    stopped_by = editor.stopped
        for each in ready:
            self._send(each, out)
        if any(self._held(run) for run in edit.runs):
            self._waiting.append(edit)
        else:
            self._send(edit, out)
        if stopped_by is not None and all(editor.stopped is not None for editor in self._runs.values()):
            self._stop(stopped_by, out)

    def _send(self, edit: _Edit, out: list[bytes]) -> None:
        data, raw = edit.render()
        out.append(raw)
        if self._mirrored and self._api is not None:
            if self._mirror is None:
                self._mirror = Mirror(self._api)
            self._mirror.sent(data, edit.block.name)

    def _stop(self, stopped_by: str, out: list[bytes]) -> None:
        for edit in self._waiting:
            self._send(edit, out)
        self._waiting.clear()
        self.stopped = True
        if self._mirror is not None:
            out.append(self._mirror.ending(stopped_by))

    # ------------------------------------------------------------ runs

    def _editor(self, run: Hashable) -> EditorChain:
        editor = self._runs.get(run)
        if editor is None:
            if len(self._runs) >= _MOST_RUNS:
                raise CapacityExceededError(_MOST_RUNS, len(self._runs) + 1, "nothing: no stream has so many texts")
            editor = self._runs[run] = EditorChain(self._stages)
        return editor

    def _held(self, run: Hashable) -> bool:
        editor = self._runs.get(run)
        return editor is not None and editor.held > 0

    def _released_by(self, runs: set[Hashable]) -> list[_Edit]:
        """Take out the events that wait for these runs; what else they wait for is decided now, as it stands."""
        everything = EVERY_RUN in runs
        ready = [edit for edit in self._waiting if everything or not runs.isdisjoint(edit.runs)]
        self._waiting = [edit for edit in self._waiting if edit not in ready]
        for edit in ready:
            for run in () if everything else edit.runs - runs:
                edit.append(run, self._runs[run].flush() if run in self._runs else "")
        return ready

    def _end(self, run: Hashable, carriers: Sequence[_Edit]) -> None:
        """End a run: what is held of it goes out with the latest event that has text of it."""
        for ended in list(self._runs) if run == EVERY_RUN else [run]:
            editor = self._runs.pop(ended, None)
            rest = editor.flush() if editor is not None else ""
            if rest:
                carrier = next((edit for edit in carriers if ended in edit.runs), None)
                if carrier is None:
                    raise ConfigurationError("a text editor ended with text of which its `held` had said nothing")
                carrier.append(ended, rest)

    def _end_all(self, out: list[bytes]) -> None:
        ready = self._released_by({EVERY_RUN})
        self._end(EVERY_RUN, ready)
        for edit in ready:
            self._send(edit, out)


class _Edit:
    """An event and what becomes of its texts."""

    __slots__ = ("_last", "_texts", "block")

    def __init__(self, block: Block) -> None:
        self.block = block
        self._texts: dict[Path, tuple[str, str]] = {}  # as it came, as it goes
        self._last: dict[Hashable, Path] = {}

    @property
    def runs(self) -> set[Hashable]:
        """The runs that this event adds to."""
        return set(self._last)

    def change(self, place: Place, text: str) -> None:
        """Set what is to stand in a place."""
        self._texts[place.path] = (place.text, text)
        if not place.whole:
            self._last[place.run] = place.path

    def append(self, run: Hashable, text: str) -> None:
        """Put more text behind what this event brings of a run."""
        path = self._last[run]
        came, goes = self._texts[path]
        self._texts[path] = (came, goes + text)

    def render(self) -> tuple[bytes, bytes]:
        """Return the payload and the whole event as they go out."""
        data = self.block.data
        assert data is not None
        changed = [(path, goes) for path, (came, goes) in self._texts.items() if goes != came]
        if not changed:
            return data, self.block.raw
        data = replace_values(data, changed)
        return data, with_data(self.block, data)


def _whole(stages: Sequence[AnyStage], text: str) -> str:
    """Edit a text that came whole."""
    editor = EditorChain(stages)
    return editor.feed(text) + editor.flush()


def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        event: object = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            event = json.loads(data)  # takes half a surrogate pair, which some servers send
        except ValueError:
            return None
    return event if is_object(event) else None
