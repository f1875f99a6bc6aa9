"""A stage with memory: text deltas, cut anywhere, become whole lines; the last one comes at the end of the stream."""

from __future__ import annotations

from collections.abc import Iterable

from streamarena.pipeline import Pipeline, stateful


class SplitLines:
    """Feed it pieces of text, get whole lines. What is kept is bounded: a longer line is given in parts."""

    def __init__(self, max_line: int = 65536) -> None:
        self.max_line = max_line
        self.parts: list[str] = []
        self.held = 0

    def feed(self, item: str) -> Iterable[str]:
        """Take a piece; give the lines that it completes."""
        first, newline, rest = item.partition("\n")
        self.parts.append(first)
        self.held += len(first)
        if not newline and self.held < self.max_line:
            return ()
        *lines, last = "".join((*self.parts, newline, rest)).split("\n")
        self.parts, self.held = [last], len(last)
        return [*lines, *self.flush()] if self.held >= self.max_line else lines

    def flush(self) -> Iterable[str]:
        """Give the line that no newline ended."""
        last, self.parts, self.held = "".join(self.parts), [], 0
        return [last] if last else ()


def main() -> None:
    # The class stands in the pipeline and not an object, so that each run makes one of its own.
    lines = Pipeline(stateful(SplitLines), str.strip)
    for line in lines.run(["first li", "ne\nsec", "ond line\n", "and the rest"]):
        print(repr(line))

    # The same, piece by piece, as a callback that may not wait would do it.
    run = lines.start()
    print(run.feed(["first li"]), run.feed(["ne\nsec"]), run.finish())


if __name__ == "__main__":
    main()
