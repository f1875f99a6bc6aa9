"""Every literal of a TypeScript file whose value can reach a prompt, exactly, with its place and its way of names.

What is left out is a matter of where a literal stands, never of what it says: module names and types; property names;
operands of comparisons and `case` labels; arguments of calls that search, cut or open files (`_NEEDLES`); thrown and
validation messages; identifiers such as slugs, group names and schema types (`_PLAIN_KEYS`).

Invariants: source order, a literal before the ones inside its placeholders; `text` pieces are cooked values, a
`placeholder` is the source text of its expression; neighbouring pieces are never both text.
Cost: one pass with an explicit stack, linear in the nodes. A file deeper than `MAX_DEPTH` or with more literals than
`MAX_LITERALS` was not written by a human, and is refused as a whole.
Not here: joining literals into prompts (`composing.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from streamarena.prompts.importing.cooking import LoneSurrogateError, cook, raw_template

if TYPE_CHECKING:
    from streamarena.prompts.importing.parsing import Node, Source

__all__ = ["MAX_DEPTH", "MAX_LITERALS", "Literal", "Piece", "SourceLimitError", "literals", "pieces_of"]

MAX_DEPTH: Final = 2_000  # of the syntax tree; each term of a concatenation is a level
MAX_LITERALS: Final = 5_000  # of one file


class SourceLimitError(Exception):
    """A file is past a limit; caught by the importer, which lists it for a human.

    Attributes:
        line: where the limit was met; reason: which one.
    """

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a literal: text, or the source of an expression."""

    value: str
    is_text: bool = True


@dataclass(frozen=True, slots=True)
class Literal:
    """One string or template.

    Attributes:
        file, line: where it opens; symbol: the way of names to it, from the outside in.
        pieces: its parts; problem: why they cannot be kept exactly, or "".
    """

    file: str
    line: int
    symbol: str
    pieces: tuple[Piece, ...]
    problem: str = ""


_SKIPPED: Final = frozenset(
    {
        *("import_statement", "type_alias_declaration", "interface_declaration", "type_annotation", "type_arguments"),
        *("type_parameters", "literal_type", "throw_statement", "regex", "ambient_declaration", "comment"),
    }
)
_COMPARISONS: Final = frozenset({"==", "===", "!=", "!==", "<", ">", "<=", ">=", "in", "instanceof"})

# Calls whose arguments are needles, patterns, paths, code or checks, and no text for the model.
_NEEDLES: Final = frozenset(
    {
        *("split", "replace", "replaceAll", "includes", "startsWith", "endsWith", "match", "matchAll", "test", "exec"),
        *("indexOf", "lastIndexOf", "search", "localeCompare", "RegExp", "hasOwnProperty", "defineProperty", "has"),
        *("readFile", "readFileSync", "writeFile", "writeFileSync", "access", "stat", "readdir", "mkdir", "import"),
        *("require", "eval", "execSync", "exec", "spawn", "basename", "dirname", "relative", "resolve", "createPatch"),
        *("refine", "superRefine", "regex", "literal", "enum", "getConfiguration", "getItem", "createHash", "digest"),
    }
)
# Values of these keys identify something; inside JSON for the model they are text all the same.
_PLAIN_KEYS: Final = frozenset({"type", "role", "slug", "iconName", "groups", "fileRegex", "enum", "required"})
_PLAIN_MEMBERS: Final = frozenset({"getName", "label", "createPrettyPatch"})
_NAMES: Final = frozenset({"identifier", "property_identifier"})  # a destructuring pattern names nothing
_FUNCTIONS: Final = frozenset({"arrow_function", "function_expression", "function_declaration", "generator_function"})


@dataclass(frozen=True, slots=True)
class _Context:
    """What a node's surroundings say about the literals in it."""

    symbol: str = ""
    excluded: bool = False
    in_json: bool = False
    indexed: bool = False  # inside a list of modes: items count
    schema: bool = False  # inside an object with a JSON schema


def literals(source: Source) -> list[Literal]:
    """Return the literals of a file that can be part of a prompt; a file with a syntax error has none.

    Raises:
        SourceLimitError: it is nested deeper than `MAX_DEPTH`, or has more than `MAX_LITERALS`.
    """
    if source.root.has_error:
        return []
    found: list[Literal] = []
    stack: list[tuple[Node, _Context, int]] = [(source.root, _Context(), 0)]
    while stack:
        node, context, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise SourceLimitError(source.line(node), f"nested deeper than {MAX_DEPTH} levels")
        kind = node.type
        if kind in _SKIPPED:
            continue
        if node.is_named and kind in {"string", "template_string"} and not context.excluded:
            literal = _literal(source, node, context.symbol)
            if literal is not None:
                found.append(literal)
                if len(found) > MAX_LITERALS:
                    raise SourceLimitError(literal.line, f"more than {MAX_LITERALS} texts")
        if kind != "string":
            inside = _inherited(source, node, context)
            positions = _positions(node) if kind == "array" and inside.indexed else {}
            children = node.children
            stack.extend(
                (child, _enter(source, node, child, inside, positions), depth + 1) for child in reversed(children)
            )
    return found


def pieces_of(source: Source, node: Node) -> tuple[Piece, ...]:
    """Return the pieces of a string or template node.

    Raises:
        LoneSurrogateError: its value is not Unicode.
    """
    inner_start, inner_end = node.start_byte + 1, node.end_byte - 1
    if node.type == "string":
        return _joined([Piece(cook(source.slice(inner_start, inner_end), template=False))])
    raw = _is_raw(source, node)
    pieces: list[Piece] = []
    at = inner_start
    for child in node.children:
        if child.type == "template_substitution":
            pieces.append(_text_piece(source.slice(at, child.start_byte), raw=raw))
            pieces.append(Piece(_expression_text(source, child), is_text=False))
            at = child.end_byte
    pieces.append(_text_piece(source.slice(at, inner_end), raw=raw))
    return _joined(pieces)


def _literal(source: Source, node: Node, symbol: str) -> Literal | None:
    try:
        pieces = pieces_of(source, node)
    except LoneSurrogateError as error:
        return Literal(source.file, source.line(node), symbol, (), str(error))
    if not any(piece.is_text for piece in pieces):
        return None
    return Literal(source.file, source.line(node), symbol, pieces)


def _text_piece(text: str, *, raw: bool) -> Piece:
    return Piece(raw_template(text) if raw else cook(text, template=True))


def _is_raw(source: Source, node: Node) -> bool:
    parent = node.parent
    if parent is None or parent.type != "call_expression":
        return False
    function = parent.child_by_field_name("function")
    return function is not None and source.text(function) == "String.raw"


def _expression_text(source: Source, substitution: Node) -> str:
    inside = [child for child in substitution.named_children if child.type != "comment"]
    return source.slice(inside[0].start_byte, inside[-1].end_byte) if inside else ""


def _joined(pieces: list[Piece]) -> tuple[Piece, ...]:
    return tuple(piece for piece in pieces if piece.value or not piece.is_text)


# ---------------------------------------------------------------- where a child stands


def _inherited(source: Source, node: Node, context: _Context) -> _Context:
    """Return what all children of a node have from it; asked once a node, since a node may have very many."""
    kind = node.type
    in_json = context.in_json or (kind == "arguments" and _callee(source, node.parent) == "stringify")
    indexed = context.indexed or (
        kind == "variable_declarator" and _field(source, node, "name").lower().endswith("modes")
    )
    schema = context.schema or (kind == "object" and "parameters" in _keys(source, node))
    return _Context(context.symbol, context.excluded, in_json, indexed, schema)


def _positions(array: Node) -> dict[int, int]:
    return {item.id: index for index, item in enumerate(one for one in array.named_children if one.type != "comment")}


def _enter(source: Source, node: Node, child: Node, context: _Context, positions: dict[int, int]) -> _Context:
    """Return the context of a child: its name, and whether literals in it are text."""
    symbol = _extend(context.symbol, _name(source, node, child, context, positions))
    excluded = context.excluded and child.type not in _FUNCTIONS and not _is_description(source, node)
    excluded = excluded or _is_plain(source, node, child, context)
    return _Context(symbol, excluded, context.in_json, context.indexed, context.schema)


def _is_plain(source: Source, node: Node, child: Node, context: _Context) -> bool:
    kind = node.type
    if kind == "binary_expression":
        return _plain_operand(source, node, child)
    if kind == "assignment_expression":  # an error's own name
        return _field(source, node, "left") == "this.name"
    if kind == "arguments":
        return _plain_arguments(source, node)
    if kind == "pair":
        return _plain_pair(source, node, child, context)
    if kind in {
        "subscript_expression",
        "for_in_statement",
        "switch_case",
        "export_statement",
        "public_field_definition",
    }:
        return _plain_place(source, node, child)
    if kind in {"variable_declarator", "method_definition"}:
        name = _field(source, node, "name")
        return name.endswith("Labels") or name in _PLAIN_MEMBERS
    return kind in {"method_definition", "function_declaration"} and child == node.child_by_field_name("name")


def _plain_operand(source: Source, node: Node, child: Node) -> bool:
    operator = _field(source, node, "operator")
    if operator in _COMPARISONS:
        return True
    left = node.child_by_field_name("left")
    # The default of an environment variable is configuration.
    return operator in {"??", "||"} and child != left and source.text(left).startswith("process.env")


def _plain_arguments(source: Source, node: Node) -> bool:
    callee = _callee(source, node.parent)
    if callee == "join":  # of paths; a list's separator is text
        function = node.parent.child_by_field_name("function")
        return function is not None and source.text(function).startswith("path.")
    return callee in _NEEDLES


def _plain_pair(source: Source, node: Node, child: Node, context: _Context) -> bool:
    key = node.child_by_field_name("key")
    if child == key:
        return True
    name = source.text(key)
    if context.in_json:
        return False
    if name == "name":
        return context.schema
    return name in _PLAIN_KEYS or name in _PLAIN_MEMBERS


def _is_description(source: Source, node: Node) -> bool:
    """What a restricted group says of itself is text, although names of groups are not."""
    return bool(node.type == "pair" and source.text(node.child_by_field_name("key")) == "description")


def _plain_place(source: Source, node: Node, child: Node) -> bool:
    field = {
        "subscript_expression": "index",
        "for_in_statement": "right",
        "switch_case": "value",
        "export_statement": "source",
    }.get(node.type)
    if field is None:
        return _field(source, node, "name") in _PLAIN_MEMBERS
    return bool(child == node.child_by_field_name(field))


def _callee(source: Source, call: Node) -> str:
    """The last name of what is called: `split` for `a.b().split(...)`, `Error` for `new Error(...)`."""
    function = call.child_by_field_name("function") or call.child_by_field_name("constructor")
    # The end is enough: what stands before may be a long chain of calls.
    found = re.search(r"(\w+)\W*$", source.text(function)[-200:]) if function is not None else None
    return found[1] if found else ""


def _name(source: Source, node: Node, child: Node, context: _Context, positions: dict[int, int]) -> str:
    """What a node adds to the way of names of its child."""
    kind = node.type
    if kind in {"function_declaration", "generator_function_declaration", "class_declaration", "method_definition"}:
        return _field(source, node, "name") if _inside(node, child) else ""
    if kind in {"variable_declarator", "public_field_definition"} and node.child_by_field_name("name").type in _NAMES:
        return _field(source, node, "name") if child == node.child_by_field_name("value") else ""
    if kind == "pair" and child == node.child_by_field_name("value"):
        return _key_name(source, node.child_by_field_name("key"))
    if kind == "export_statement" and any(item.type == "default" for item in node.children):
        return "default" if child == node.child_by_field_name("value") else ""
    if kind == "array" and context.indexed and child.is_named and child.type == "object" and "." not in context.symbol:
        return f"[{positions[child.id]}]"
    return ""


def _inside(node: Node, child: Node) -> bool:
    return bool(child in {node.child_by_field_name("body"), node.child_by_field_name("parameters")})


def _key_name(source: Source, key: Node) -> str:
    text = source.text(key)
    return text[1:-1] if key.type == "string" else text


def _extend(symbol: str, name: str) -> str:
    if not name or not symbol:
        return symbol or name
    return f"{symbol}{name}" if name.startswith("[") else f"{symbol}.{name}"


def _field(source: Source, node: Node, field: str) -> str:
    child = node.child_by_field_name(field)
    return source.text(child) if child is not None else ""


def _keys(source: Source, node: Node) -> set[str]:
    pairs = [child for child in node.named_children if child.type == "pair"]
    return {source.text(pair.child_by_field_name("key")) for pair in pairs}
