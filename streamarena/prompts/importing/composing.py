"""From an expression to a template: literals joined, ternaries as conditions, other expressions as placeholders.

What is understood: strings and templates, `+`, parentheses and casts, ternaries, `!`, `&&` in conditions, `x || ""` and
`x ?? ""`, constants of the same file, functions of the same file and arrows that end in one `return`, and returns under
`if`. Everything else becomes a placeholder named after its source and a `Note` with its line, for a human to look at.

Invariants: every character of every literal on the way is kept; nothing is evaluated; recursion is bounded by
`MAX_NESTING` and work by `MAX_TERMS`, past which an expression becomes a placeholder too.
Cost: linear in the expression, times the depth of inlined constants and functions, up to `MAX_TERMS`.
Not here: which expression stands for which prompt (`mapping.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from streamarena.prompts.importing.cooking import LoneSurrogateError
from streamarena.prompts.importing.literals import pieces_of
from streamarena.prompts.importing.parsing import Node, Source, unwrapped
from streamarena.prompts.template import literal

__all__ = ["ALIASES", "MAX_NESTING", "MAX_TERMS", "Composer", "Note", "snake_case"]

MAX_NESTING: Final = 12
MAX_TERMS: Final = 10_000
"""Expressions that one `Composer` goes into; 400 bytes of a literal count as one more."""
_BYTES_A_TERM: Final = 400

# What the assistant's code calls a value, and what our texts call it.
ALIASES: Final[dict[str, str]] = {
    "cwd": "workspace",
    "args.cwd": "workspace",
    "cwd.toPosix()": "workspace",
    'cwd.replace(/\\\\/g, "/")': "workspace",
    "args.mcpHub": "tool_hub",
    "args.cwd.toPosix()": "workspace",
    "supportsComputerUse": "browser",
    "args.supportsComputerUse": "browser",
    "args.browserViewportSize": "viewport",
    "browserViewportSize": "viewport",
    "isCodebaseSearchAvailable": "index",
    "codeIndexManager?.isInitialized": "index",
    "diffStrategy": "diff",
    "effectiveDiffStrategy": "diff",
    "args.diffStrategy": "diff",
    "diffStrategyEnabled": "diff_enabled",
    "args.partialReadsEnabled": "partial_reads",
    "partialReadsEnabled": "partial_reads",
    "isMultipleReadsEnabled": "several_reads",
    "maxConcurrentReads": "max_reads",
    "args.settings?.maxConcurrentFileReads": "max_reads",
    "enableMcpServerCreation": "server_creation",
    "mcpHub": "servers",
    "connectedServers": "servers",
    "args.settings?.newTaskRequireTodos": "new_task_requires_todos",
    "todosRequired": "new_task_requires_todos",
    "settings?.isStealthModel": "stealth",
    "isStealthModel": "stealth",
    "getShell()": "shell",
    "osName()": "operating_system",
    "os.homedir().toPosix()": "home",
    "os.homedir()": "home",
    "skillsXml": "skills",
    "supportsImages": "images",
    "chainOp": "chain",
    "chainNote": "shell_note",
    "getCommandChainOperator()": "chain",
    "getCommandChainNote()": "shell_note",
    "getEditingInstructions(diffStrategy)": "editing",
    "modesContent": "modes",
    "customModesPath": "custom_modes_path",
    "await mcpHub.getMcpServersPath()": "servers_path",
    "await mcpHub.getMcpSettingsFilePath()": "settings_path",
    "paramName": "name",
    "availableTools": "available_tools",
}

_FUNCTIONS: Final = frozenset(
    {"arrow_function", "function_expression", "function_declaration", "method_definition", "generator_function"}
)
# Placeholders that the assembly fills from fragments, which an import does not bring.
_FILLED_BY_US: Final = frozenset({"editing", "chain", "shell_note"})

# Comparisons that ask no more than whether something is there, and their sense.
_COMPARED: Final = {
    ("===", "true"): True,
    ("!==", "true"): False,
    ("===", "false"): False,
    ("!==", "false"): True,
    (">", "0"): True,
    ("===", "0"): False,
    ("!==", "undefined"): True,
    ("===", "undefined"): False,
}
_EMPTY: Final = frozenset({"undefined", "null", '""', "''", "``", 'Promise.resolve("")'})


class Note(NamedTuple):
    """Something that needs a human: where, and why."""

    line: int
    reason: str


class _Token(NamedTuple):
    text: str
    is_tag: bool = False


_Tokens = list[_Token]
_Scope = Mapping[str, Node]


def snake_case(name: str) -> str:
    """Return a name of ours for one of theirs: `paramName` becomes `param_name`, `a.b?.c()` becomes `a_b_c`."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    clean = re.sub(r"[^A-Za-z0-9]+", "_", words).strip("_").lower()
    return clean if clean and not clean[0].isdigit() else f"value_{clean}"


@dataclass
class Composer:
    """Composes templates from the expressions of one file.

    Attributes:
        source: the file; notes: what needs a human so far; expressions: source text by placeholder.
        terms: expressions gone into so far.
    """

    source: Source
    aliases: Mapping[str, str] = field(default_factory=lambda: ALIASES)
    notes: list[Note] = field(default_factory=list[Note])
    expressions: dict[str, str] = field(default_factory=dict[str, str])
    constants: dict[str, Node] = field(default_factory=dict[str, Node])
    terms: int = 0

    def __post_init__(self) -> None:
        for node in self.source.root.named_children:
            inner = node.child_by_field_name("declaration") if node.type == "export_statement" else node
            self._declare(inner if inner is not None else node, self.constants)

    def template(self, node: Node, scope: _Scope | None = None) -> str:
        """Return the template text of an expression or a function."""
        return _written(self._compose(node, scope or self.constants, 0))

    def spend(self, node: Node) -> bool:
        """Count an expression; False, and a note the first time, once there were more than `MAX_TERMS`."""
        before = self.terms <= MAX_TERMS
        size = node.end_byte - node.start_byte if node.type in {"string", "template_string"} else 0
        self.terms += 1 + size // _BYTES_A_TERM
        if self.terms <= MAX_TERMS:
            return True
        if before:
            self._note(node, f"made of more than {MAX_TERMS} terms; what is left out reads {{{{left_out}}}}")
        return False

    # ------------------------------------------------------------ expressions

    def _compose(self, node: Node, scope: _Scope, depth: int) -> _Tokens:
        node = unwrapped(node)
        kind = node.type
        if not self.spend(node):
            return self._slot("left_out", "")
        if depth > MAX_NESTING:
            return self._placeholder(node, f"nested deeper than {MAX_NESTING}")
        if kind == "string":
            return self._literal(node)
        if kind == "template_string":
            return self._template_string(node, scope, depth)
        if kind == "number":
            return [_Token(self.source.text(node))]
        if kind == "binary_expression":
            return self._binary(node, scope, depth)
        if kind == "ternary_expression":
            return self._choice(
                node.child_by_field_name("condition"),
                self._compose(node.child_by_field_name("consequence"), scope, depth + 1),
                self._compose(node.child_by_field_name("alternative"), scope, depth + 1),
                scope,
            )
        if kind == "await_expression" and self.source.text(node) not in self.aliases:
            return self._compose(node.named_children[0], scope, depth + 1)
        if kind in _FUNCTIONS:
            return self._function(node, scope, depth)
        return self._reference(node, scope, depth)

    def _literal(self, node: Node) -> _Tokens:
        try:
            return [_Token(piece.value) for piece in pieces_of(self.source, node)]
        except LoneSurrogateError as error:
            self._note(node, str(error))
            return []

    def _template_string(self, node: Node, scope: _Scope, depth: int) -> _Tokens:
        try:
            pieces = list(pieces_of(self.source, node))
        except LoneSurrogateError as error:
            self._note(node, str(error))
            return []
        inside = [child for child in node.children if child.type == "template_substitution"]
        tokens: _Tokens = []
        for piece in pieces:
            if piece.is_text:
                tokens.append(_Token(piece.value))
            else:
                children = [child for child in inside.pop(0).named_children if child.type != "comment"]
                tokens += self._compose(children[0], scope, depth + 1) if children else []
        return tokens

    def _binary(self, node: Node, scope: _Scope, depth: int) -> _Tokens:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        operator = self.source.text(node.child_by_field_name("operator"))
        if operator == "+":
            return self._compose(left, scope, depth + 1) + self._compose(right, scope, depth + 1)
        if operator == "*":
            factors = [self._compose(side, scope, depth + 1) for side in (left, right)]
            numbers = [tokens[0].text for tokens in factors if len(tokens) == 1 and tokens[0].text.isdigit()]
            if len(numbers) == 2:
                return [_Token(str(int(numbers[0]) * int(numbers[1])))]
        if operator in {"||", "??"} and self.source.text(right) in _EMPTY:
            return self._compose(left, scope, depth + 1)
        return self._placeholder(node, f"the operator {operator} is not understood")

    def _reference(self, node: Node, scope: _Scope, depth: int) -> _Tokens:
        """An identifier, member or call: a constant or function of this file, a known value, or a placeholder."""
        text = self.source.text(node)
        if text in _EMPTY:
            return []
        if text in self.aliases:
            if self.aliases[text] in _FILLED_BY_US:
                self._note(node, f"{text} is filled in from our own fragment {self.aliases[text]!r}")
            return self._slot(self.aliases[text], text)
        if node.type == "call_expression":
            arguments = node.child_by_field_name("arguments")
            if arguments.type == "template_string":
                tag = self.source.text(node.child_by_field_name("function"))
                if tag != "String.raw":  # whose meaning is known
                    self._note(node, f"the tag {tag} may change this text when it runs")
                return self._template_string(arguments, scope, depth)
            if (joined := self._joined(node, arguments, scope, depth)) is not None:
                return joined
        name = self.source.text(node.child_by_field_name("function")) if node.type == "call_expression" else text
        target = scope.get(name, self._member(node, scope))
        if target is not None and _is_text_like(target, called=node.type == "call_expression"):
            inner = {key: value for key, value in scope.items() if value != target}
            return self._compose(target, inner, depth + 1)
        if node.type in {"identifier", "member_expression"}:
            return self._slot(self.aliases.get(text, snake_case(text)), text)
        return self._placeholder(node, "an expression that is not understood")

    def _member(self, node: Node, scope: _Scope) -> Node | None:
        """The value of `NAME.key` or `NAME["key"]` where NAME is an object written out in this file."""
        if node.type not in {"member_expression", "subscript_expression"}:
            return None
        table = scope.get(self.source.text(node.child_by_field_name("object")))
        field = node.child_by_field_name("property") or node.child_by_field_name("index")
        wanted = self.source.text(field).strip("\"'")
        for pair in unwrapped(table).named_children if table is not None else ():
            if pair.type == "pair" and self.source.text(pair.child_by_field_name("key")).strip("\"'") == wanted:
                return pair.child_by_field_name("value")
        return None

    def _joined(self, call: Node, arguments: Node, scope: _Scope, depth: int) -> _Tokens | None:
        """`[...].join(separator)` of a list that is written out; None for any other call."""
        function = call.child_by_field_name("function")
        separators = [child for child in arguments.named_children if child.type in {"string", "template_string"}]
        if function.type != "member_expression" or self.source.text(function.child_by_field_name("property")) != "join":
            return None
        items = unwrapped(function.child_by_field_name("object"))
        items = unwrapped(scope.get(self.source.text(items), items))
        parts = [child for child in items.named_children if child.type != "comment"] if items.type == "array" else []
        if not parts or len(separators) != 1 or any(part.type == "spread_element" for part in parts):
            return None
        between = self._compose(separators[0], scope, depth + 1)
        tokens: _Tokens = []
        for index, part in enumerate(parts):
            tokens += (between if index else []) + self._compose(part, scope, depth + 1)
        return tokens

    def _slot(self, name: str, expression: str) -> _Tokens:
        self.expressions.setdefault(name, expression)
        return [_Token("{{" + name + "}}", is_tag=True)]

    def _placeholder(self, node: Node, reason: str) -> _Tokens:
        text = self.source.text(node)
        self._note(node, f"{reason}: {' '.join(text.split())[:80]}")
        return self._slot(snake_case(text)[:40].strip("_"), text)

    # ------------------------------------------------------------ conditions

    def _choice(self, condition: Node, then: _Tokens, otherwise: _Tokens, scope: _Scope, depth: int = 0) -> _Tokens:
        """Both texts under a condition; `depth` counts conditions inside one condition, which repeat the texts."""
        condition = unwrapped(condition)
        kind = condition.type
        inner = depth + 1
        if len(then) + len(otherwise) > MAX_TERMS:
            return self._placeholder(condition, f"conditions that come to more than {MAX_TERMS} terms")
        if kind == "unary_expression" and self.source.text(condition).startswith("!") and depth < MAX_NESTING:
            return self._choice(condition.child_by_field_name("argument"), otherwise, then, scope, inner)
        if kind == "binary_expression" and depth < MAX_NESTING:
            operator = self.source.text(condition.child_by_field_name("operator"))
            left, right = condition.child_by_field_name("left"), condition.child_by_field_name("right")
            if operator == "&&":
                return self._choice(left, self._choice(right, then, otherwise, scope, inner), otherwise, scope, inner)
            if operator == "||":
                return self._choice(left, then, self._choice(right, then, otherwise, scope, inner), scope, inner)
            meaning = _COMPARED.get((operator, self.source.text(right)))
            if meaning is not None:
                return self._choice(left, *((then, otherwise) if meaning else (otherwise, then)), scope, inner)
        name = self._flag(condition, scope)
        if then == otherwise:
            return then
        tags = [_Token("{{#if " + name + "}}", is_tag=True), *then]
        if otherwise:
            tags += [_Token("{{else}}", is_tag=True), *otherwise]
        return [*tags, _Token("{{/if}}", is_tag=True)]

    def _flag(self, condition: Node, scope: _Scope, depth: int = 0) -> str:
        text = re.sub(r"\??\.length$", "", self.source.text(condition))
        if text in self.aliases:
            return self.aliases[text]
        value = scope.get(text)
        if value is not None and depth < MAX_NESTING:  # a constant may be made of itself
            bare = unwrapped(value)
            if (
                bare.type == "ternary_expression"
                and self.source.text(unwrapped(bare.child_by_field_name("alternative"))) in _EMPTY
            ):
                return self._flag(unwrapped(bare.child_by_field_name("condition")), scope, depth + 1)
            if self.source.text(bare) in self.aliases:
                return self.aliases[self.source.text(bare)]
        if condition.type not in {"identifier", "member_expression"}:
            self._note(condition, f"a condition that is not understood: {' '.join(text.split())[:80]}")
        name = snake_case(text)[:40].strip("_")
        self.expressions.setdefault(name, text)
        return name

    # ------------------------------------------------------------ functions

    def _function(self, node: Node, scope: _Scope, depth: int) -> _Tokens:
        body = node.child_by_field_name("body")
        if body is None or body.type != "statement_block":
            return self._compose(body, scope, depth + 1) if body is not None else []
        return self._block(list(body.named_children), dict(scope), depth)

    def _block(self, statements: list[Node], scope: dict[str, Node], depth: int) -> _Tokens:
        if depth > MAX_NESTING and statements:
            return self._placeholder(statements[0], f"nested deeper than {MAX_NESTING}")
        for index, statement in enumerate(statements):
            kind = statement.type
            if kind in {"lexical_declaration", "variable_declaration", "function_declaration"}:
                self._declare(statement, scope)
            elif kind == "return_statement":
                value = [child for child in statement.named_children if child.type != "comment"]
                return self._compose(value[0], scope, depth + 1) if value else []
            elif kind == "if_statement":
                then = _statements(statement.child_by_field_name("consequence"))
                if _throws(then):
                    continue
                if not _returns(then):
                    return self._placeholder(statement, "text that is built step by step")
                otherwise = statement.child_by_field_name("alternative")
                rest = _statements(otherwise) if otherwise is not None else statements[index + 1 :]
                return self._choice(
                    statement.child_by_field_name("condition"),
                    self._block(then, dict(scope), depth + 1),
                    self._block(rest, dict(scope), depth + 1),
                    scope,
                )
            elif kind not in {"comment", "empty_statement"}:
                return self._placeholder(statement, "text that is built step by step")
        return []

    def _declare(self, statement: Node, scope: dict[str, Node]) -> None:
        if statement.type in {"function_declaration", "class_declaration"}:
            scope[self.source.text(statement.child_by_field_name("name"))] = statement
            return
        for child in statement.named_children:
            if child.type == "variable_declarator" and child.child_by_field_name("value") is not None:
                scope[self.source.text(child.child_by_field_name("name"))] = child.child_by_field_name("value")

    def _note(self, node: Node, reason: str) -> None:
        self.notes.append(Note(self.source.line(node), reason))


def _written(tokens: _Tokens) -> str:
    """Join tokens; a stretch of text is escaped as a whole, since two halves of a brace pair may meet."""
    out: list[str] = []
    text: list[str] = []
    for token in tokens:
        if token.is_tag:
            out += [literal("".join(text)), token.text]
            text = []
        else:
            text.append(token.text)
    return "".join([*out, literal("".join(text))])


def _is_text_like(node: Node, *, called: bool) -> bool:
    bare = unwrapped(node)
    kind = bare.type
    if called:
        return kind in _FUNCTIONS
    if kind == "call_expression":  # a tagged template
        return bool(bare.child_by_field_name("arguments").type == "template_string")
    return kind in {"string", "template_string", "binary_expression", "ternary_expression", "number"}


def _statements(node: Node) -> list[Node]:
    if node.type == "else_clause":
        node = node.named_children[0]
    return list(node.named_children) if node.type == "statement_block" else [node]


def _throws(statements: list[Node]) -> bool:
    return any(statement.type == "throw_statement" for statement in statements)


def _returns(statements: list[Node]) -> bool:
    return any(statement.type in {"return_statement", "if_statement"} for statement in statements)
