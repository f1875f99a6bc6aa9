"""The template language of prompt packs: literal text, `{{name}}`, and `{{#if name}}...{{else}}...{{/if}}`.

Invariants:
* Every character outside a tag is kept as it is; nothing is trimmed, escaped or re-wrapped.
* `{{#braces}}` stands for two literal braces, so any text at all can be written (`literal` does it). A brace directly
  before a tag is literal: `{{{name}}}` is the value of `name` in single braces.
* Values are inserted as they are: a value that looks like a tag is never read as one.
* A missing value is an error that names it; values that a template does not use are ignored, so that a pack may
  replace a text by one that needs less.

Cost: compiling is one pass over the text; rendering is one join of shared strings.
Not here: loops, includes, expressions, and filters. Lists are joined by the caller, item template by item template.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from streamarena.errors import MissingPromptValueError, TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_DEPTH", "PromptValue", "Template", "compile_template", "literal"]

PromptValue: TypeAlias = str | int | float | bool | None

MAX_DEPTH: Final = 16  # nested conditions; deeper ones are a mistake, and rendering is recursive

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_TAG = re.compile(
    r"\{\{(?:(?P<word>else|/if)"
    rf"|(?P<slot>{_NAME})"
    rf"|\#if (?P<negated>not )?(?P<flag>{_NAME})"
    r"|(?P<braces>\#braces))\}\}"
)


def literal(text: str) -> str:
    """Return `text` written so that a template renders exactly it.

    Give it the whole stretch between two tags at once: two halves of a pair of braces would meet unescaped.
    """
    return text.replace("{{", "{{#braces}}")


class _Slot(msgspec.Struct, frozen=True):
    name: str


class _Choice(msgspec.Struct, frozen=True):
    flag: str
    negated: bool
    then: tuple[_Part, ...]
    otherwise: tuple[_Part, ...]


_Part: TypeAlias = str | _Slot | _Choice


class Template(msgspec.Struct, frozen=True):
    """A compiled text.

    Attributes:
        parts: literal strings, slots and choices, in order.
        parameters: names of its placeholders, in order of first appearance.
        conditions: names that its `{{#if}}` tags ask for, likewise.
    """

    parts: tuple[_Part, ...]
    parameters: tuple[str, ...]
    conditions: tuple[str, ...]

    @property
    def plain(self) -> str | None:
        """The source text of a template without tags; None when it has some (escaped braces are one)."""
        if not self.parts:
            return ""
        only = self.parts[0]
        return only if len(self.parts) == 1 and isinstance(only, str) and "{{" not in only else None

    def render(self, values: Mapping[str, PromptValue], *, key: str = "a template") -> str:
        """Fill in the values.

        Args:
            values: text or numbers for parameters, anything with a truth value for conditions.
            key: what to call this template in an error.

        Raises:
            MissingPromptValueError: a name the text needs (in the branches that are taken) has no value.
        """
        if len(self.parts) == 1 and isinstance(self.parts[0], str):
            return self.parts[0]
        out: list[str] = []
        _render(self.parts, values, out, key)
        return "".join(out)


def compile_template(text: str, *, file: str = "template", line: int = 1) -> Template:
    """Compile one text.

    Args:
        text: the whole text.
        file: what to call it in errors.
        line: the number of its first line there.

    Raises:
        TemplateError: a tag that is none, or `if`, `else`, `/if` that do not match; names file and line.
    """
    return _Compiler(text, file, line).compile()


def _render(parts: tuple[_Part, ...], values: Mapping[str, PromptValue], out: list[str], key: str) -> None:
    for part in parts:
        if isinstance(part, str):
            out.append(part)
            continue
        name = part.name if isinstance(part, _Slot) else part.flag
        if name not in values:
            raise MissingPromptValueError(key, name)
        value = values[name]
        if isinstance(part, _Slot):
            out.append(value if isinstance(value, str) else "" if value is None else str(value))
        else:
            _render(part.then if bool(value) is not part.negated else part.otherwise, values, out, key)


class _Compiler:
    """One pass from left to right with a stack of open conditions."""

    def __init__(self, text: str, file: str, line: int) -> None:
        self._text = text
        self._file = file
        self._line = line
        self._parameters: dict[str, None] = {}
        self._conditions: dict[str, None] = {}
        # (flag, negated, then-branch once `else` was seen, offset of the opening tag)
        self._open: list[tuple[str, bool, tuple[_Part, ...] | None, int]] = []
        self._levels: list[list[_Part]] = [[]]

    def compile(self) -> Template:
        text, at = self._text, 0
        while (start := text.find("{{", at)) >= 0:
            while text.startswith("{{{", start):  # a literal brace before a tag
                start += 1
            tag = _TAG.match(text, start)
            if tag is None:
                raise self._error(start, f"not a tag: {text[start : start + 30]!r}")
            self._literal(text[at:start])
            self._take(tag)
            at = tag.end()
        self._literal(text[at:])
        if self._open:
            raise self._error(self._open[-1][3], f"{{{{#if {self._open[-1][0]}}}}} is never closed")
        return Template(tuple(self._levels[0]), tuple(self._parameters), tuple(self._conditions))

    def _take(self, tag: re.Match[str]) -> None:
        if name := tag["slot"]:
            self._parameters.setdefault(name)
            self._levels[-1].append(_Slot(name))
        elif tag["braces"]:
            self._literal("{{")
        elif flag := tag["flag"]:
            if len(self._open) >= MAX_DEPTH:
                raise self._error(tag.start(), f"conditions nested deeper than {MAX_DEPTH}")
            self._conditions.setdefault(flag)
            self._open.append((flag, tag["negated"] is not None, None, tag.start()))
            self._levels.append([])
        elif not self._open:
            raise self._error(tag.start(), f"{tag[0]} without an open {{{{#if}}}}")
        else:
            self._turn(tag)

    def _turn(self, tag: re.Match[str]) -> None:
        flag, negated, then, start = self._open.pop()
        branch = tuple(self._levels.pop())
        if tag["word"] == "/if":
            choice = _Choice(flag, negated, branch if then is None else then, () if then is None else branch)
            self._levels[-1].append(choice)
        elif then is not None:
            raise self._error(tag.start(), f"a second {{{{else}}}} for {{{{#if {flag}}}}}")
        else:
            self._open.append((flag, negated, branch, start))
            self._levels.append([])

    def _literal(self, text: str) -> None:
        level = self._levels[-1]
        if not text:
            return
        if level and isinstance(level[-1], str):
            level[-1] += text
        else:
            level.append(text)

    def _error(self, offset: int, reason: str) -> TemplateError:
        return TemplateError(self._file, self._line + self._text.count("\n", 0, offset), reason)
