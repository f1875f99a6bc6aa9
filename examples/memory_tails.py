"""An arena need not be bound to a context: a parser holds one and replaces its unfinished tail in place."""

from streamarena.memory import Arena, Span


class LineParser:
    """Splits pieces into lines; what is unfinished waits in the request's arena."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._tail: Span | None = None

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the lines that this piece completes."""
        if self._tail is not None:
            piece = bytes(self._tail) + piece
            self._arena.free(self._tail)  # topmost: the next tail takes its place, and the arena does not grow
        *lines, rest = piece.split(b"\n")
        self._tail = self._arena.alloc_bytes(rest)
        return lines


def main() -> None:
    with Arena(label="connection 7", quota=1 << 20) as arena:
        parser = LineParser(arena)
        for piece in (b"first li", b"ne\nsecond", b" line\nunfin"):
            print(parser.feed(piece))
        print(arena.stats().bytes, "bytes held of", arena.stats().total_bytes, "that went through")


if __name__ == "__main__":
    main()
