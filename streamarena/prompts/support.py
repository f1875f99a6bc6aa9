"""Support prompts: the ready requests behind editor actions, commit messages and the condensing of conversations.

The keys are those of the reference (section 7.6). A user may override a key by a text of their own, in which `${name}`
stands for a parameter and anything unknown for nothing; our own texts take the same parameters.

Invariants: a parameter that is not given is empty; values are inserted as they are and never read again as tags.
Cost: one rendering a call; nothing is remembered, since the values are code and questions.
Not here: running them (the caller sends them as a message of the user).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from streamarena.errors import UnknownPromptError
from streamarena.prompts.catalog import Generation, PromptCatalog, builtin_catalog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamarena.prompts.template import PromptValue

__all__ = ["SUPPORT_PARAMETERS", "Diagnostic", "SupportPrompts"]

_CODE: Final = ("filePath", "startLine", "endLine", "selectedText")

# Key and parameters of each, as an editor's extension names them.
SUPPORT_PARAMETERS: Final[dict[str, tuple[str, ...]]] = {
    "ENHANCE": ("userInput",),
    "CONDENSE": (),
    "EXPLAIN": (*_CODE, "userInput"),
    "FIX": (*_CODE, "userInput", "diagnosticText"),
    "IMPROVE": (*_CODE, "userInput"),
    "ADD_TO_CONTEXT": _CODE,
    "TERMINAL_ADD_TO_CONTEXT": ("userInput", "terminalContent"),
    "TERMINAL_FIX": ("userInput", "terminalContent"),
    "TERMINAL_EXPLAIN": ("userInput", "terminalContent"),
    "TERMINAL_GENERATE": ("userInput", "operatingSystem", "currentDirectory", "shell"),
    "NEW_TASK": ("userInput",),
    "COMMIT_MESSAGE": ("customInstructions", "gitContext"),
}

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


class Diagnostic(msgspec.Struct, frozen=True):
    """A problem that an editor reports: its source (default "Error"), message and, perhaps, code."""

    message: str
    source: str = ""
    code: str | int | None = None


class SupportPrompts:
    """Support prompts of one generation.

    Args:
        generation: decides the condense prompt; all others are the same.
        catalog: default: our own texts.
        overrides: the user's own texts by key, with `${name}` placeholders; an empty one counts as none.
    """

    def __init__(
        self,
        generation: Generation = "classic",
        catalog: PromptCatalog | None = None,
        overrides: Mapping[str, str] | None = None,
    ) -> None:
        self._generation: Generation = generation
        self._catalog = builtin_catalog() if catalog is None else catalog
        self._overrides = dict(overrides or {})

    def create(self, key: str, parameters: Mapping[str, PromptValue], diagnostics: Sequence[Diagnostic] = ()) -> str:
        """Return a support prompt from parameters by name, as an extension would ask for it.

        Args:
            key: one of `SUPPORT_PARAMETERS`, or of a pack's own.
            parameters: missing ones are empty, further ones are ignored.
            diagnostics: become the parameter `diagnosticText`.

        Raises:
            UnknownPromptError: there is no such key.
        """
        values: dict[str, PromptValue] = {**parameters, "diagnosticText": self._diagnostic_text(diagnostics)}
        own = self._overrides.get(key)
        if own:
            return _PLACEHOLDER.sub(lambda match: _text(values.get(match[1])), own)
        if key not in SUPPORT_PARAMETERS and not self._catalog.has(f"support.{key}", self._generation):
            raise UnknownPromptError(f"support.{key}", tuple(SUPPORT_PARAMETERS))
        name = self._catalog.find(f"support.{key}", self._generation)
        template = self._catalog.template(name)
        complete = dict.fromkeys((*template.parameters, *template.conditions), "") | values
        return template.render(complete, key=name)

    def enhance(self, user_input: str) -> str:
        """Ask for a better wording of a prompt."""
        return self.create("ENHANCE", {"userInput": user_input})

    def condense(self) -> str:
        """The condense prompt: the system prompt in classic, the user's instruction in native."""
        return self.create("CONDENSE", {})

    def explain(
        self, selected_text: str, *, file_path: str, start_line: int, end_line: int, user_input: str = ""
    ) -> str:
        """Ask for an explanation of code."""
        return self.create("EXPLAIN", _code(selected_text, file_path, start_line, end_line, user_input))

    def fix(
        self,
        selected_text: str,
        *,
        file_path: str,
        start_line: int,
        end_line: int,
        user_input: str = "",
        diagnostics: Sequence[Diagnostic] = (),
    ) -> str:
        """Ask for a correction of code, with the problems that the editor reports."""
        return self.create("FIX", _code(selected_text, file_path, start_line, end_line, user_input), diagnostics)

    def improve(
        self, selected_text: str, *, file_path: str, start_line: int, end_line: int, user_input: str = ""
    ) -> str:
        """Ask for an improvement of code."""
        return self.create("IMPROVE", _code(selected_text, file_path, start_line, end_line, user_input))

    def add_to_context(self, selected_text: str, *, file_path: str, start_line: int, end_line: int) -> str:
        """Quote code."""
        return self.create("ADD_TO_CONTEXT", _code(selected_text, file_path, start_line, end_line, ""))

    def terminal_add_to_context(self, terminal_content: str, *, user_input: str = "") -> str:
        """Quote output of a terminal."""
        return self.create("TERMINAL_ADD_TO_CONTEXT", {"userInput": user_input, "terminalContent": terminal_content})

    def terminal_fix(self, terminal_content: str, *, user_input: str = "") -> str:
        """Ask for a correction of a command."""
        return self.create("TERMINAL_FIX", {"userInput": user_input, "terminalContent": terminal_content})

    def terminal_explain(self, terminal_content: str, *, user_input: str = "") -> str:
        """Ask for an explanation of a command."""
        return self.create("TERMINAL_EXPLAIN", {"userInput": user_input, "terminalContent": terminal_content})

    def terminal_generate(self, user_input: str, *, operating_system: str, current_directory: str, shell: str) -> str:
        """Ask for a command that does what is described."""
        values = {
            "userInput": user_input,
            "operatingSystem": operating_system,
            "currentDirectory": current_directory,
            "shell": shell,
        }
        return self.create("TERMINAL_GENERATE", values)

    def new_task(self, user_input: str) -> str:
        """The first message of a task."""
        return self.create("NEW_TASK", {"userInput": user_input})

    def commit_message(self, git_context: str, *, custom_instructions: str = "") -> str:
        """Ask for the message of a commit."""
        return self.create("COMMIT_MESSAGE", {"gitContext": git_context, "customInstructions": custom_instructions})

    def _diagnostic_text(self, diagnostics: Sequence[Diagnostic]) -> str:
        line = self._catalog.find("support.diagnostic", self._generation)
        bullets = [
            self._catalog.render(line, source=item.source or "Error", message=item.message, code=_text(item.code))
            for item in diagnostics
        ]
        return self._catalog.render(
            self._catalog.find("support.diagnostics", self._generation), bullets="\n".join(bullets)
        )


def _code(text: str, path: str, start: int, end: int, user_input: str) -> dict[str, PromptValue]:
    return {"selectedText": text, "filePath": path, "startLine": start, "endLine": end, "userInput": user_input}


def _text(value: PromptValue) -> str:
    return "" if value is None else str(value)
