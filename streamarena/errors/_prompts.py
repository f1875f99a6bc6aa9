"""Errors of prompt packs, entries and modes."""

from __future__ import annotations

from streamarena.errors._base import LimitExceededError, StreamArenaError


class PromptError(StreamArenaError):
    """A prompt pack, an entry of it, or a prompt setting is wrong."""


class PackError(PromptError):
    """A prompt pack cannot be used: its manifest, or a file of it.

    Attributes:
        file: which file, as far as known; line: 1-based, or 0 where a line means nothing; reason: what is wrong.
    """

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}" if line else f"{file}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason


class TemplateError(PackError):
    """A tag in a prompt text is not one, or does not match its partner."""


class UnknownPromptError(PromptError, KeyError):
    """The catalogue has no entry of that name.

    Attributes:
        key: the name asked for; near: names that look like it.
    """

    def __init__(self, key: str, near: tuple[str, ...] = ()) -> None:
        super().__init__(f"no prompt is called {key!r}" + (f"; did you mean {', '.join(near)}?" if near else ""))
        self.key = key
        self.near = near

    __str__ = Exception.__str__  # KeyError would show the message quoted


class MissingPromptValueError(PromptError):
    """A text was rendered without a value that it needs.

    Attributes:
        key: the entry; name: the parameter or condition without a value.
    """

    def __init__(self, key: str, name: str) -> None:
        super().__init__(f"{key} needs a value for {name!r}")
        self.key = key
        self.name = name


class UnsafePathError(PromptError):
    """A prompt file leads out of the folder it must stay in, or is not a plain file.

    Attributes:
        path: the file as it was named.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class PromptTooLargeError(PromptError, LimitExceededError):
    """A prompt file is larger than allowed."""

    def __init__(self, path: str, limit: int, seen: int, setting: str) -> None:
        LimitExceededError.__init__(self, limit, seen, setting)
        self.args = (f"{path}: {self.args[0]}",)
        self.path = path

    what = "a prompt file"


class ToolNotAllowedError(PromptError):
    """A mode may not use a tool.

    Attributes:
        tool: the tool asked for; mode: the mode's slug.
    """

    def __init__(self, tool: str, mode: str, message: str = "") -> None:
        super().__init__(message or f"tool {tool!r} is not allowed in mode {mode!r}")
        self.tool = tool
        self.mode = mode


class FileRestrictionError(ToolNotAllowedError):
    """A mode may edit only files that match its pattern.

    Attributes:
        pattern: the regular expression; description: the mode's words for it; path: the file that does not match.
    """

    def __init__(self, tool: str, mode: str, pattern: str, description: str | None, path: str) -> None:
        kind = f" ({description})" if description else ""
        super().__init__(tool, mode, f"mode {mode!r} may edit only files matching {pattern}{kind}, not {path!r}")
        self.pattern = pattern
        self.description = description
        self.path = path
