"""Show a model the block of code around a line, and no more lines than it may have."""

from pathlib import Path

from streamarena.context import read_block


def main() -> None:
    lines = Path(__file__).read_text("utf-8").splitlines()
    anchor = next(number for number, line in enumerate(lines, 1) if "anchor =" in line)
    print(read_block(lines, anchor, max_levels=1, max_lines=8))


if __name__ == "__main__":
    main()
