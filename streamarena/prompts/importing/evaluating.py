"""Object and array literals as plain data, with composed templates for their texts.

Used for modes and native tool definitions, which are data written as code. Nothing is executed: what is not a literal,
a constant of the same file, or a function of the same file that returns such, is noted for a human and left out.
Cost: linear in the literal. Invariant: recursion is bounded by `MAX_NESTING`, work by `MAX_TERMS` of the composer.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from streamarena.prompts.importing.composing import MAX_NESTING, Composer, Note
from streamarena.prompts.importing.literals import pieces_of
from streamarena.prompts.importing.parsing import unwrapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamarena.prompts.importing.parsing import Node

__all__ = ["MISSING", "evaluate", "returned"]

MISSING: Final = object()  # what could not be read
_PLAIN: Final[dict[str, object]] = {"true": True, "false": False, "null": None, "undefined": MISSING}


def evaluate(composer: Composer, node: Node, scope: Mapping[str, Node] | None = None, depth: int = 0) -> object:
    """Return the value of a literal expression: dict, list, template text, number, boolean, None or `MISSING`."""
    scope = composer.constants if scope is None else scope
    node = unwrapped(node)
    text = composer.source.text(node)
    if not composer.spend(node):
        return MISSING
    if depth > MAX_NESTING:
        composer.notes.append(Note(composer.source.line(node), f"nested deeper than {MAX_NESTING}"))
        return MISSING
    if node.type in _PLAIN or text in _PLAIN:
        return _PLAIN[text]
    if node.type == "number":
        return json.loads(text) if text.isdigit() else float(text)
    if node.type == "array":
        items = [
            evaluate(composer, child, scope, depth + 1) for child in node.named_children if child.type != "comment"
        ]
        return [item for item in items if item is not MISSING]
    if node.type == "object":
        return _object(composer, node, scope, depth)
    target = _target(composer, node, scope) if node.type in {"identifier", "call_expression"} else None
    if target is not None and unwrapped(target).type in {"object", "array"}:
        return evaluate(composer, target, scope, depth + 1)
    return composer.template(node, scope)


def returned(composer: Composer, function: Node) -> tuple[Node | None, dict[str, Node]]:
    """Return what a function returns last, and the constants that it sees there."""
    body = function.child_by_field_name("body")
    scope = dict(composer.constants)
    found: Node | None = None
    for statement in body.named_children if body is not None else ():
        if statement.type in {"lexical_declaration", "variable_declaration"}:
            for child in statement.named_children:
                value = child.child_by_field_name("value")
                if value is not None:
                    scope[composer.source.text(child.child_by_field_name("name"))] = value
        elif statement.type == "return_statement" and statement.named_children:
            found = statement.named_children[0]
    return found, scope


def _object(composer: Composer, node: Node, scope: Mapping[str, Node], depth: int) -> dict[str, object]:
    made: dict[str, object] = {}
    for child in node.named_children:
        if child.type == "pair":
            key = child.child_by_field_name("key")
            name = (
                "".join(p.value for p in pieces_of(composer.source, key))
                if key.type == "string"
                else composer.source.text(key)
            )
            value = evaluate(composer, child.child_by_field_name("value"), scope, depth + 1)
        elif child.type == "shorthand_property_identifier":
            name = composer.source.text(child)
            target = scope.get(name)
            value = composer.template(child, scope) if target is None else evaluate(composer, target, scope, depth + 1)
        elif child.type == "comment":
            continue
        else:
            composer.notes.append(Note(composer.source.line(child), f"{child.type} in an object is not understood"))
            continue
        if value is not MISSING:
            made[name] = value
    return made


def _target(composer: Composer, node: Node, scope: Mapping[str, Node]) -> Node | None:
    name = node.child_by_field_name("function") if node.type == "call_expression" else node
    return scope.get(composer.source.text(name))
