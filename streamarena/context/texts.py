"""The short fixed texts that context management puts into histories, in one place, so that a caller may replace them.

Long prompts are not here: they come from the catalogue of `streamarena.prompts` (`CondensePrompts.load`).
Invariant: `line_repeated` has the length that the run-length comparison counts with (43 characters and the digits of
the count, its newline included), so that its decisions are those of the reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["NOTICES", "Notices", "chars_omitted", "line_repeated", "lines_omitted"]


@dataclass(frozen=True, slots=True)
class Notices:
    """Fixed texts by what they are for."""

    continue_from_summary: str = "Carry on from this summary:"
    summarize_request: str = "Now write the summary of this conversation that the instructions above ask for."
    image_placeholder: str = "[An image was shown here earlier in the conversation]"
    tool_interrupted: str = "The tool was stopped before it finished."
    condense_deferred: str = "This tool call was put off: the conversation is being condensed."
    result_missing: str = "no result was recorded"
    call_aborted: str = "aborted"
    no_summary: str = "(no summary available)"
    summary_heading: str = "## Conversation Summary\n"
    workflows_opening: str = (
        "<system-reminder>\n## Active Workflows\nThese instructions stay in force, also after further condensing:\n"
    )
    workflows_closing: str = "\n</system-reminder>"
    history_truncated: str = (
        "[NOTE] Older parts of this conversation were taken out to stay within the context window. The task at the "
        "start and the latest messages are still here; go by those."
    )
    duplicate_file_read: str = (
        "[NOTE] This file was read again later; the newer content further down replaces what stood here."
    )
    first_message_compacted: str = "[Go on helping the user with the task.]"
    tool_result_cleared: str = "[Old tool result cleared]"
    task_resumption: str = (
        "[TASK RESUMPTION] The task was interrupted. Some of what you know about the workspace may be out of date; "
        "check before you go on, and repeat a step whose result is missing."
    )


NOTICES: Final = Notices()


def chars_omitted(count: int) -> str:
    """Return the marker for characters cut out of a text; no newlines."""
    return f"[... {count} characters left out ...]"


def lines_omitted(count: int) -> str:
    """Return the marker for lines cut out of a text; no newlines."""
    return f"[... {count} lines left out ...]"


def line_repeated(count: int) -> str:
    """Return the marker for further copies of the line above it; without its newline."""
    return f"[the line above was repeated {count} times more.]"
