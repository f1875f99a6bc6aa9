"""What the program tells the model about its tool calls: refusals, errors, results, lists of files.

Two forms (section 5.11 of the reference behaviour): classic sentences with XML-ish tags, and native compact JSON
objects. The same method gives either, by generation; the words come from the catalogue.

Invariants: pure; the caller's text is inserted as it is; JSON is compact and keeps characters outside ASCII.
Cost: one short rendering a call; `format_files_list` sorts once, n log n in the number of files.
Not here: when each is used (the caller's loop); notices of truncation (`context`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from streamarena.prompts.catalog import Generation, PromptCatalog, builtin_catalog
from streamarena.prompts.file_lists import format_files_list
from streamarena.prompts.patches import pretty_patch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from streamarena.prompts.template import PromptValue

__all__ = ["FORMATTER_METHODS", "ResponseFormatter"]

# The reference's keys, and the method that gives each.
FORMATTER_METHODS: Final[dict[str, str]] = {
    "toolDenied": "tool_denied",
    "toolDeniedWithFeedback": "tool_denied_with_feedback",
    "toolApprovedWithFeedback": "tool_approved_with_feedback",
    "toolError": "tool_error",
    "rooIgnoreError": "ignored_path_error",
    "noToolsUsed": "no_tools_used",
    "tooManyMistakes": "too_many_mistakes",
    "missingToolParameterError": "missing_parameter_error",
    "lineCountTruncationError": "line_count_error",
    "invalidMcpToolArgumentError": "invalid_server_tool_argument_error",
    "unknownMcpToolError": "unknown_server_tool_error",
    "unknownMcpServerError": "unknown_server_error",
    "toolResult": "tool_result",
    "imageBlocks": "image_blocks",
    "formatFilesList": "files_list",
    "createPrettyPatch": "pretty_patch",
    "duplicateFileReadNotice": "duplicate_file_read_notice",
    "contextTruncationNotice": "context_truncation_notice",
    "condense": "condense",
}

_PATCH_CONTEXT: Final[dict[Generation, int]] = {"classic": 4, "native": 3}
_IGNORE_FILES: Final[dict[Generation, str]] = {"classic": ".kilocodeignore", "native": ".rooignore"}


class ResponseFormatter:
    """Feedback for the model, in the form of one generation.

    Args:
        generation: `classic` sentences or `native` JSON.
        catalog: default: our own texts.
        ignore_file: the name of the file that closes paths to the model; default: the generation's.
    """

    def __init__(
        self, generation: Generation = "classic", catalog: PromptCatalog | None = None, *, ignore_file: str = ""
    ) -> None:
        self.generation: Generation = generation
        self._catalog = builtin_catalog() if catalog is None else catalog
        self._ignore_file = ignore_file or _IGNORE_FILES[generation]

    def text(self, name: str, /, **values: PromptValue) -> str:
        """Return any canned text, such as `feedback.unknownTool` or `notice.no_files`.

        Raises:
            UnknownPromptError: there is none of that name for this generation.
            MissingPromptValueError: it needs a value that was not given.
        """
        return self._catalog.render(self._catalog.find(name, self.generation), **values)

    # ------------------------------------------------------------ decisions of the user

    def tool_denied(self) -> str:
        """The user has refused a tool."""
        text = self.text("feedback.toolDenied")
        return text if self._classic else _object(status="denied", message=text)

    def tool_denied_with_feedback(self, feedback: str) -> str:
        """The user has refused a tool and said why."""
        if self._classic:
            return self.text("feedback.toolDeniedWithFeedback", feedback=feedback)
        return _object(status="denied", feedback=feedback)

    def tool_approved_with_feedback(self, feedback: str) -> str:
        """The user has allowed a tool and added something."""
        if self._classic:
            return self.text("feedback.toolApprovedWithFeedback", feedback=feedback)
        return _object(status="approved", feedback=feedback)

    def too_many_mistakes(self, feedback: str) -> str:
        """The user's guidance after too many mistakes in a row."""
        if self._classic:
            return self.text("feedback.tooManyMistakes", feedback=feedback)
        return _object(status="guidance", feedback=feedback)

    # ------------------------------------------------------------ errors

    def tool_error(self, error: str) -> str:
        """A tool has failed."""
        if self._classic:
            return self.text("feedback.toolError", error=error)
        return _object(status="error", message=self.text("feedback.toolError"), error=error)

    def ignored_path_error(self, path: str) -> str:
        """The ignore file closes this path."""
        values = {"path": path, "ignore_file": self._ignore_file}
        return self._error("rooIgnoreError", "access_denied", values, path=path)

    def no_tools_used(self) -> str:
        """The answer had no tool call."""
        return self.text("feedback.noToolsUsed", reminder=self._reminder())

    def missing_parameter_error(self, name: str) -> str:
        """A required parameter has no value."""
        return self.text("feedback.missingToolParameterError", name=name, reminder=self._reminder())

    def line_count_error(self, actual_line_count: int, *, is_new_file: bool, diff_enabled: bool) -> str:
        """A whole file was given that seems to be cut off (classic).

        Raises:
            UnknownPromptError: in native, which has no line counts.
        """
        return self.text(
            "feedback.lineCountTruncationError",
            actual_line_count=actual_line_count,
            is_new_file=is_new_file,
            diff_enabled=diff_enabled,
            reminder=self._reminder(),
        )

    def invalid_server_tool_argument_error(self, server_name: str, tool_name: str) -> str:
        """The arguments for a server's tool are not JSON."""
        values = {"server_name": server_name, "tool_name": tool_name}
        fields = {"server": server_name, "tool": tool_name}
        return self._error("invalidMcpToolArgumentError", "invalid_argument", values, **fields)

    def unknown_server_tool_error(self, server_name: str, tool_name: str, available: Sequence[str] = ()) -> str:
        """A server has no such tool."""
        values = {"server_name": server_name, "tool_name": tool_name, "available_tools": ", ".join(available)}
        fields = {"server": server_name, "tool": tool_name, "available_tools": list(available)}
        return self._error("unknownMcpToolError", "unknown_tool", values, **fields)

    def unknown_server_error(self, server_name: str, available: Sequence[str] = ()) -> str:
        """There is no such server."""
        values = {"server_name": server_name, "available_servers": ", ".join(available)}
        fields = {"server": server_name, "available_servers": list(available)}
        return self._error("unknownMcpServerError", "unknown_server", values, **fields)

    # ------------------------------------------------------------ results

    def tool_result(self, text: str, images: Sequence[str] = ()) -> str | list[dict[str, object]]:
        """Return a result: the text itself, or text and image blocks when there are images (data URLs)."""
        if not images:
            return text
        return [{"type": "text", "text": text}, *self.image_blocks(images)]

    def image_blocks(self, images: Iterable[str] | None) -> list[dict[str, object]]:
        """Return `data:` URLs as base64 image blocks.

        Raises:
            ValueError: one of them is no base64 data URL.
        """
        return [_image_block(url) for url in images or ()]

    def files_list(
        self,
        directory: str,
        files: Iterable[str],
        *,
        did_hit_limit: bool = False,
        is_ignored: Callable[[str], bool] | None = None,
        show_ignored: bool = True,
        is_protected: Callable[[str], bool] | None = None,
    ) -> str:
        """Return a directory's listing; see `file_lists.format_files_list`."""
        return format_files_list(
            directory,
            files,
            did_hit_limit=did_hit_limit,
            is_ignored=is_ignored,
            show_ignored=show_ignored,
            is_protected=is_protected,
            limit_notice=self.text("notice.files_limit"),
            empty_notice=self.text("notice.no_files"),
        )

    def pretty_patch(self, old: str, new: str) -> str:
        """Return a unified patch without headers, with 4 (classic) or 3 (native) lines of context."""
        return pretty_patch(old, new, context=_PATCH_CONTEXT[self.generation])

    # ------------------------------------------------------------ notices

    def duplicate_file_read_notice(self) -> str:
        """Stands in place of an older copy of a file's content."""
        return self.text("feedback.duplicateFileReadNotice")

    def context_truncation_notice(self) -> str:
        """Says that older messages were removed."""
        return self.text("feedback.contextTruncationNotice")

    def condense(self) -> str:
        """The user has accepted a condensed conversation."""
        return self.text("feedback.condense")

    @property
    def _classic(self) -> bool:
        return self.generation == "classic"

    def _reminder(self) -> str:
        return self.text("feedback.toolUseReminder")

    def _error(self, key: str, kind: str, values: dict[str, str], **fields: object) -> str:
        message = self.text(f"feedback.{key}", **values)
        if self._classic:
            return message
        suggestion = self.text(f"feedback.{key}_suggestion", **values)
        return _object(status="error", type=kind, message=message, **fields, suggestion=suggestion)


def _object(**fields: object) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _image_block(url: str) -> dict[str, object]:
    head, comma, data = url.partition(",")
    media_type = head.removeprefix("data:").removesuffix(";base64")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        raise ValueError(f"not a base64 data URL: {url[:40]!r}")
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}
