"""TypeScript syntax trees, by tree-sitter (the extra `import`), and small helpers over their nodes.

Invariants: nothing of a checkout is executed, imported or transpiled; a file is parsed as bytes, and a tree with an
error anywhere is reported and not read. Walks use a stack of their own, so depth of nesting costs no recursion.
Cost: linear in the file; a tree lives as long as its `Source`.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from streamarena.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Node", "Source", "parse", "unwrapped", "walk"]

Node = Any  # tree_sitter.Node: a compiled library, optional here, so its types cannot be relied on


class Source:
    """One parsed file: its text and tree.

    Attributes:
        file: path inside the checkout, with forward slashes; root: the program node.
    """

    __slots__ = ("_tree", "data", "file", "root")

    def __init__(self, file: str, data: bytes) -> None:
        self.file = file
        self.data = data.removeprefix(b"\xef\xbb\xbf")
        self._tree = _parser().parse(self.data)
        self.root: Node = self._tree.root_node

    def text(self, node: Node) -> str:
        """The source text of a node, its line ends as they are."""
        return self.slice(node.start_byte, node.end_byte)

    def slice(self, start: int, end: int) -> str:
        """The source text between two byte offsets."""
        return self.data[start:end].decode("utf-8")

    def line(self, node: Node) -> int:
        """The 1-based line a node begins on."""
        return int(node.start_point[0]) + 1

    def broken_line(self) -> int:
        """The line where the first syntax error begins, or 0 when there is none."""
        if not self.root.has_error:
            return 0
        return next((self.line(node) for node in walk(self.root) if node.is_error or node.is_missing), 1)


def parse(file: str, data: bytes) -> Source:
    """Parse one file.

    Raises:
        MissingExtraError: tree-sitter is not installed.
        UnicodeDecodeError: the file is not UTF-8.
    """
    data.decode("utf-8")
    return Source(file, data)


_CASTS = frozenset({"parenthesized_expression", "as_expression", "satisfies_expression", "non_null_expression"})


def unwrapped(node: Node) -> Node:
    """Return an expression without parentheses and casts around it.

    The grammar reads `return {…} satisfies A.B.C` as members of `({…} satisfies A)`; that is undone too.
    """
    while True:
        if node.type in _CASTS and node.named_children:
            node = next(child for child in node.named_children if child.type != "comment")
            continue
        inner = node
        while inner.type == "member_expression":
            inner = inner.child_by_field_name("object")
        if inner is node or inner.type not in {"satisfies_expression", "as_expression"}:
            return node
        node = inner


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, in the order of the source."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(current.children))


@lru_cache(maxsize=1)
def _parser() -> Any:  # noqa: ANN401 - see Node
    try:
        library = importlib.import_module("tree_sitter")
        grammar = importlib.import_module("tree_sitter_typescript")
    except ImportError as error:
        raise MissingExtraError("tree-sitter", "import", "importing prompts") from error
    return library.Parser(library.Language(grammar.language_typescript()))
