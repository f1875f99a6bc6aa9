"""An event's JSON goes straight from bytes into a type of yours, validated, without a dictionary in between."""

import msgspec

from streamarena.sse import SSEParser


class Progress(msgspec.Struct):
    """What this server sends; fields that are not named here are skipped."""

    done: int
    total: int


def main() -> None:
    parser = SSEParser()
    stream = b'data: {"done": 3, "total": 4, "note": "skipped"}\n\ndata: {"done": "four", "total": 4}\n\n'
    for event in parser.feed(stream):
        try:
            progress = event.json(Progress)
            print(f"{progress.done} of {progress.total}")
        except msgspec.ValidationError as error:
            print(f"not a Progress: {error}")


if __name__ == "__main__":
    main()
