"""Texts of i18n files: JSON objects of strings in which `{{name}}` stands for a value.

Invariants: source order; the symbol of a text is its path of keys; nothing is interpreted but the escapes of JSON,
which the reader of TypeScript literals resolves too.
Cost: one parse, linear.
"""

from __future__ import annotations

import re

from streamarena.prompts.importing.literals import Literal, Piece, pieces_of
from streamarena.prompts.importing.parsing import Node, Source

__all__ = ["locale_literals", "locale_source"]

_VALUE = re.compile(r"\{\{\s*([A-Za-z_][\w.]*)\s*\}\}")


def locale_source(file: str, data: bytes) -> Source:
    """Parse a JSON file as the expression that it is; lines stay as they are."""
    return Source(file, b"(" + data.removeprefix(b"\xef\xbb\xbf") + b"\n)")


def locale_literals(source: Source) -> list[Literal]:
    """Return every non-empty string of a locale file."""
    found: list[Literal] = []
    stack: list[tuple[Node, str]] = [(source.root, "")]
    while stack:
        node, path = stack.pop()
        if node.type == "pair":
            key = "".join(piece.value for piece in pieces_of(source, node.child_by_field_name("key")))
            stack.append((node.child_by_field_name("value"), f"{path}.{key}" if path else key))
        elif node.type == "string":
            pieces = _split("".join(piece.value for piece in pieces_of(source, node)))
            if pieces:
                found.append(Literal(source.file, source.line(node), path, pieces))
        else:
            stack.extend((child, path) for child in reversed(node.named_children))
    return found


def _split(text: str) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    at = 0
    for match in _VALUE.finditer(text):
        pieces += [Piece(text[at : match.start()]), Piece(match[1], is_text=False)]
        at = match.end()
    pieces.append(Piece(text[at:]))
    return tuple(piece for piece in pieces if piece.value)
