"""Make a tool's output fit a context: progress bars flattened, repeated lines folded, the middle cut out."""

from streamarena.context import compress_terminal_output, truncate_middle


def main() -> None:
    progress = "\r".join(f"downloading {percent:3d} %" for percent in range(101)) + "\n"
    log = progress + "waiting for the server to answer\n" * 40 + "".join(f"step {n}\n" for n in range(300)) + "done\n"
    short = compress_terminal_output(log, line_limit=15)
    print(f"{len(log)} characters became {len(short)}:\n{short}")
    print(truncate_middle("the start " + "and so on " * 3000 + "the end")[:60], "...")


if __name__ == "__main__":
    main()
