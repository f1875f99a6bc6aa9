"""Every error has one root, a name that says what happened, and its data as attributes."""

from streamarena.errors import EventTooLargeError, StreamArenaError


def main() -> None:
    try:
        raise EventTooLargeError(limit=16 * 2**20, seen=17 * 2**20, setting="max_event_bytes")
    except StreamArenaError as error:
        print(type(error).__name__, "-", error)


if __name__ == "__main__":
    main()
