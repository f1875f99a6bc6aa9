"""The fixed texts that context management puts into histories, as the prompt catalogue has them.

Nothing is read on import: `notices()` and `marker()` read the built-in catalogue on their first use. A caller with
packs of its own passes `Notices.load(catalog)` or single texts instead.
Invariant: the marker `line_repeated` has the length that the run-length comparison of the reference counts with (43
characters and the digits of the count, its newline included); a test holds the catalogue to it.

Cost: some twenty small files, once. Not here: the words themselves (`prompts/packs/`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streamarena.prompts import PromptCatalog

__all__ = ["builtin_texts", "line_repeated", "marker", "Notices", "notices", "TOOL_RESULT_CLEARED"]

TOOL_RESULT_CLEARED: Final = "[Old tool result cleared]"

_COMMANDS: Final = "\0"  # stands for the commands while their wrapper is split; no text holds it


@dataclass(frozen=True, slots=True)
class Notices:
    """Fixed texts by what they are for."""

    continue_from_summary: str
    summarize_request: str
    image_placeholder: str
    tool_interrupted: str
    condense_deferred: str
    result_missing: str
    call_aborted: str
    no_summary: str
    summary_heading: str
    workflows_opening: str
    workflows_closing: str
    history_truncated: str
    duplicate_file_read: str
    first_message_compacted: str

    @classmethod
    def load(cls, catalog: PromptCatalog) -> Notices:
        """Return the texts of a catalogue.

        Raises:
            UnknownPromptError: the catalogue lacks one of them.
        """
        workflows = catalog.render("native.condense.workflows", commands=_COMMANDS)
        opening, _, closing = workflows.partition(_COMMANDS)
        texts = {name: catalog.text(key) for name, key in _KEYS.items()}
        heading = catalog.text("native.condense.heading") + "\n"
        return cls(summary_heading=heading, workflows_opening=opening, workflows_closing=closing, **texts)


_KEYS: Final = {
    "continue_from_summary": "common.condense.continue",
    "summarize_request": "classic.condense.request",
    "image_placeholder": "common.notice.image_placeholder",
    "tool_interrupted": "common.notice.tool_interrupted",
    "condense_deferred": "native.condense.deferred",
    "result_missing": "common.notice.result_missing",
    "call_aborted": "common.notice.result_aborted",
    "no_summary": "common.notice.no_summary",
    "history_truncated": "common.feedback.contextTruncationNotice",
    "duplicate_file_read": "common.feedback.duplicateFileReadNotice",
    "first_message_compacted": "common.notice.first_user_message_compacted",
}


@lru_cache(maxsize=1)
def notices() -> Notices:
    """Return the built-in texts; read on the first call."""
    return Notices.load(builtin_texts())


@lru_cache(maxsize=1)
def builtin_texts() -> PromptCatalog:
    """Return the built-in catalogue; the room it lives in is loaded with the first text that is needed."""
    from streamarena.prompts import builtin_catalog  # noqa: PLC0415 - most programs that import this need no text

    return builtin_catalog()


def marker(name: str, **values: int) -> str:
    """Return a marker such as `characters_omitted` with its numbers filled in; without newlines around it.

    Args:
        name: of an entry `common.notice.<name>`, or a whole key.
        values: its numbers.
    """
    key = name if "." in name else f"common.notice.{name}"
    return builtin_texts().render(key, **values)


def line_repeated(count: int) -> str:
    """Return the marker for further copies of the line above it; without its newline."""
    return marker("line_repeated", count=count)
