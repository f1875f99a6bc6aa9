"""Which expression of a checkout stands for which entry of the catalogue: file names and symbols as tables.

Invariants: an entry is only proposed with everything it needs to be rendered under its key; whether the assembly knows
those values is for `importer.py` to decide. Nothing is guessed from wording.
Cost: one composition per prompt.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from streamarena.prompts.importing.composing import Composer, Note
from streamarena.prompts.importing.evaluating import evaluate, returned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamarena.prompts.catalog import Generation
    from streamarena.prompts.importing.literals import Literal
    from streamarena.prompts.importing.parsing import Node, Source

__all__ = ["Candidate", "locale_candidates", "source_candidates"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that may stand under a key of the catalogue.

    Attributes:
        key, kind, text: of the entry; file, line: where it was found; notes: what a human should look at.
    """

    key: str
    kind: str
    text: str
    file: str
    line: int
    notes: tuple[Note, ...] = ()


_PROMPTS: Final = "src/core/prompts/"
_SECTIONS: Final = (
    *("markdown-formatting", "tool-use", "tool-use-guidelines", "mcp-servers", "capabilities", "modes", "skills"),
    *("rules", "system-info", "objective"),
)
_TOOL_VARIANTS: Final = {"simple-read-file": "read_file.single_file"}
_COMMANDS: Final = {
    "newTaskToolResponse": "newtask",
    "newRuleToolResponse": "newrule",
    "reportBugToolResponse": "reportbug",
    "condenseToolResponse": "smol",
}
_INSTRUCTIONS: Final = {"create-mcp-server": "create_mcp_server", "create-mode": "create_mode"}
_MODE_LISTS: Final = ("modes", "DEFAULT_MODES")
_MODE_TEXTS: Final = {
    "roleDefinition": "role",
    "whenToUse": "when",
    "description": "description",
    "customInstructions": "instructions",
}
_CONDENSE: Final[dict[Generation, dict[str, str]]] = {
    "classic": {"finalRequestMessage.content": "condense.request"},
    "native": {"SUMMARY_PROMPT": "condense.system"},
}
# Keys of the i18n files tools.json and common.json, and ours.
_LOCALE_KEYS: Final = {
    "tools.json:readFile.linesRange": "notice.lines_range",
    "tools.json:readFile.definitionsOnly": "notice.definitions_marker",
    "tools.json:readFile.maxLines": "notice.max_lines_marker",
    "tools.json:toolRepetitionLimitReached": "error.toolRepetitionLimitReached",
    "tools.json:unknownToolError": "error.unknownToolError",
    "tools.json:codebaseSearch.approval": "error.codebaseSearch_approval",
    "tools.json:newTask.errors.policy_restriction": "error.newTask_policy_restriction",
}
_LOCALE_NAMES: Final = {"max": "count"}


def source_candidates(source: Source, generation: Generation) -> Iterator[Candidate]:
    """Yield the entries that a TypeScript file offers."""
    for pattern, handler in _HANDLERS:
        match = re.fullmatch(pattern, source.file)
        if match:
            yield from handler(source, generation, match)


def locale_candidates(literals: list[Literal], generation: Generation) -> Iterator[Candidate]:
    """Yield the entries that the texts of a locale file offer."""
    from streamarena.prompts.importing.composing import snake_case  # noqa: PLC0415 - one name
    from streamarena.prompts.template import literal as escaped  # noqa: PLC0415 - one name

    for item in literals:
        name = item.file.rpartition("/")[2]
        key = _LOCALE_KEYS.get(f"{name}:{item.symbol}")
        if key is None and name == "common.json" and item.symbol.startswith("errors."):
            key = "error." + item.symbol.removeprefix("errors.").replace(".", "_")
        if key is None:
            continue
        text = "".join(
            escaped(piece.value)
            if piece.is_text
            else "{{" + _LOCALE_NAMES.get(piece.value, snake_case(piece.value)) + "}}"
            for piece in item.pieces
        )
        yield Candidate(f"{generation}.{key}", key.partition(".")[0], text, item.file, item.line)


# ---------------------------------------------------------------- kinds of files


def _section(source: Source, generation: Generation, match: re.Match[str]) -> Iterator[Candidate]:
    if match[1] in _SECTIONS:
        yield from _exported(source, f"{generation}.section.{match[1]}", "section")


def _classic_tool(source: Source, generation: Generation, match: re.Match[str]) -> Iterator[Candidate]:
    if generation == "classic" and match[1] != "index":
        name = _TOOL_VARIANTS.get(match[1], match[1].replace("-", "_"))
        yield from _exported(source, f"classic.tool.{name}", "tool")


def _instructions(source: Source, generation: Generation, match: re.Match[str]) -> Iterator[Candidate]:
    name = _INSTRUCTIONS.get(match[1])
    if name:
        yield from _exported(source, f"{generation}.instructions.{name}", "instructions")


def _multi_file_diff(source: Source, generation: Generation, match: re.Match[str]) -> Iterator[Candidate]:
    del match
    for node in _descendants(source, "method_definition"):
        if generation == "classic" and _name(source, node) == "getToolDescription":
            yield _candidate(source, "classic.tool.apply_diff.multi_file_diff", "tool", node)


def _commands(source: Source, generation: Generation, match: re.Match[str]) -> Iterator[Candidate]:
    del match
    for name, node in Composer(source).constants.items():
        if name in _COMMANDS:
            yield _candidate(source, f"{generation}.command.{_COMMANDS[name]}", "command", node)


def _responses(source: Source, generation: Generation, match: re.Match[str]) -> Iterator[Candidate]:
    del match
    table = Composer(source).constants.get("formatResponse")
    for node in table.named_children if table is not None else ():
        if node.type == "pair":
            name = source.text(node.child_by_field_name("key"))
            body = node.child_by_field_name("value").child_by_field_name("body")
            if body is None:
                continue
            if body.type == "call_expression" and source.text(body).startswith("JSON.stringify("):
                yield from _json_response(source, generation, name, body)
            elif name in _RESPONSES:
                yield _candidate(source, f"{generation}.feedback.{name}", "feedback", node.child_by_field_name("value"))


_RESPONSES: Final = frozenset(
    {
        *("toolDenied", "toolDeniedWithFeedback", "toolApprovedWithFeedback", "toolError", "rooIgnoreError"),
        *("noToolsUsed", "tooManyMistakes", "missingToolParameterError", "lineCountTruncationError", "condense"),
        *("invalidMcpToolArgumentError", "unknownMcpToolError", "unknownMcpServerError"),
        *("duplicateFileReadNotice", "contextTruncationNotice"),
    }
)


def _json_response(source: Source, generation: Generation, name: str, call: Node) -> Iterator[Candidate]:
    composer = Composer(source)
    argument = call.child_by_field_name("arguments").named_children[0]
    table = evaluate(composer, argument)
    for field, suffix in (("message", ""), ("suggestion", "_suggestion")):
        text = cast("dict[str, object]", table).get(field) if isinstance(table, dict) else None
        if isinstance(text, str):
            key = f"{generation}.feedback.{name}{suffix}"
            yield Candidate(key, "feedback", text, source.file, source.line(call))


def _modes(source: Source, generation: Generation, match: re.Match[str]) -> Iterator[Candidate]:
    del match
    composer = Composer(source)
    for name in _MODE_LISTS:
        node = composer.constants.get(name)
        modes = evaluate(composer, node) if node is not None else None
        for mode in cast("list[object]", modes) if isinstance(modes, list) else ():
            if isinstance(mode, dict):
                line = source.line(node)
                yield from _mode(source, generation, cast("dict[str, object]", mode), line, tuple(composer.notes))


def _mode(
    source: Source, generation: Generation, mode: dict[str, object], line: int, notes: tuple[Note, ...]
) -> Iterator[Candidate]:
    slug = str(mode.get("slug"))
    groups: list[object] = []
    for group in cast("list[object]", mode.get("groups", [])):
        if isinstance(group, list):
            name, options = cast("list[object]", group)
            details = cast("dict[str, object]", options)
            table = {
                "name": name,
                "file_regex": details.get("fileRegex", ""),
                "description": details.get("description", ""),
            }
            groups.append(table)
        else:
            groups.append(group)
    text = json.dumps({"slug": slug, "name": mode.get("name"), "groups": groups}, indent=2, ensure_ascii=False)
    yield Candidate(f"{generation}.mode.{slug}", "mode", text, source.file, line, notes)
    for field, name in _MODE_TEXTS.items():
        value = mode.get(field)
        if isinstance(value, str):
            yield Candidate(f"{generation}.mode.{slug}.{name}", "mode-text", value, source.file, line, notes)


def _native_tool(source: Source, generation: Generation, match: re.Match[str]) -> Iterator[Candidate]:
    del match
    composer = Composer(source)
    for node in _tool_objects(source, composer):
        target, scope = node
        table = evaluate(composer, target, scope)
        function = cast("dict[str, object]", table).get("function") if isinstance(table, dict) else None
        if not isinstance(function, dict):
            continue
        fields = cast("dict[str, object]", function)
        name = fields.get("name")
        if not isinstance(name, str) or not re.fullmatch(r"\w+", name):
            continue
        tool = {
            "name": name,
            "description": fields.get("description", ""),
            "strict": fields.get("strict") is True,
            "parameters": fields.get("parameters", {}),
        }
        text = json.dumps(tool, indent=2, ensure_ascii=False)
        key = f"{generation}.tool.{name}"
        yield Candidate(key, "tool-schema", text, source.file, source.line(target), tuple(composer.notes))


def _tool_objects(source: Source, composer: Composer) -> Iterator[tuple[Node, dict[str, Node]]]:
    """Objects with a `function`: exported, constant, or returned by an exported function."""
    for node in source.root.named_children:
        value = node.child_by_field_name("value") if node.type == "export_statement" else None
        if value is not None:
            yield value, composer.constants
    for value in list(composer.constants.values()):
        if value.type == "function_declaration":
            target, scope = returned(composer, value)
            if target is not None:
                yield target, scope
        else:
            yield value, composer.constants


def _support(source: Source, generation: Generation, match: re.Match[str]) -> Iterator[Candidate]:
    del match
    composer = Composer(source)
    configs = composer.constants.get("supportPromptConfigs")
    for pair in _object_of(configs) if configs is not None else ():
        if pair.type != "pair":
            continue
        key = source.text(pair.child_by_field_name("key"))
        before = len(composer.notes)
        table = evaluate(composer, pair.child_by_field_name("value"))
        text = cast("dict[str, object]", table).get("template") if isinstance(table, dict) else None
        if isinstance(text, str):
            filled = re.sub(r"\$\{([A-Za-z]\w*)\}", r"{{\1}}", text)
            notes = tuple(composer.notes[before:])
            yield Candidate(f"{generation}.support.{key}", "support", filled, source.file, source.line(pair), notes)


def _condense(source: Source, generation: Generation, match: re.Match[str]) -> Iterator[Candidate]:
    del match
    composer = Composer(source)
    for symbol, key in _CONDENSE[generation].items():
        name, _, field = symbol.partition(".")
        node = composer.constants.get(name)
        if node is None:
            continue
        value = evaluate(composer, node)
        text = cast("dict[str, object]", value).get(field) if field and isinstance(value, dict) else value
        if isinstance(text, str):
            yield Candidate(f"{generation}.{key}", "condense", text, source.file, source.line(node))


_HANDLERS: Final[tuple[tuple[str, Callable[[Source, Generation, re.Match[str]], Iterator[Candidate]]], ...]] = (
    (rf"{_PROMPTS}sections/([a-z-]+)\.ts", _section),
    (rf"{_PROMPTS}tools/([a-z-]+)\.ts", _classic_tool),
    (rf"{_PROMPTS}tools/native-tools/(\w+)\.ts", _native_tool),
    (rf"{_PROMPTS}instructions/([a-z-]+)\.ts", _instructions),
    (rf"{_PROMPTS}commands\.ts", _commands),
    (rf"{_PROMPTS}responses\.ts", _responses),
    (r"src/shared/support-prompt\.ts", _support),
    (r"src/shared/modes\.ts|packages/types/src/mode\.ts", _modes),
    (r"src/core/condense/index\.ts", _condense),
    (r"src/core/diff/strategies/multi-file-search-replace\.ts", _multi_file_diff),
)


# ---------------------------------------------------------------- nodes


def _exported(source: Source, key: str, kind: str) -> Iterator[Candidate]:
    """The last exported function of a file, which is the one that gives the text."""
    found: Node = None
    for node in source.root.named_children:
        if node.type != "export_statement":
            continue
        declaration = node.child_by_field_name("declaration")
        for target in (node.child_by_field_name("value"), declaration, *_declared(declaration)):
            if target is not None and target.type in {"function_declaration", "arrow_function", "function_expression"}:
                found = target
    if found is not None:
        yield _candidate(source, key, kind, found)


def _candidate(source: Source, key: str, kind: str, node: Node) -> Candidate:
    composer = Composer(source)
    text = composer.template(node)
    return Candidate(key, kind, text, source.file, source.line(node), tuple(composer.notes))


def _declared(declaration: Node) -> list[Node]:
    if declaration is None or declaration.type != "lexical_declaration":
        return []
    return [
        child.child_by_field_name("value")
        for child in declaration.named_children
        if child.type == "variable_declarator"
    ]


def _object_of(node: Node) -> list[Node]:
    while node.type != "object" and node.named_children:
        node = node.named_children[0]
    return list(node.named_children)


def _descendants(source: Source, kind: str) -> Iterator[Node]:
    from streamarena.prompts.importing.parsing import walk  # noqa: PLC0415 - one name

    return (node for node in walk(source.root) if node.type == kind)


def _name(source: Source, node: Node) -> str:
    name = node.child_by_field_name("name")
    return source.text(name) if name is not None else ""
