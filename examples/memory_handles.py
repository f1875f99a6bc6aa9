"""Handles of a generational arena name one insertion for ever: a stale one is refused, never mistaken for another."""

from streamarena.errors import StaleHandleError
from streamarena.memory import GenerationalArena


def main() -> None:
    sessions = GenerationalArena[str](capacity=1000)
    ada, bob, eve = (sessions.insert(name) for name in ("Ada", "Bob", "Eve"))
    sessions.remove(bob)
    dan = sessions.insert("Dan")  # takes Bob's slot
    print(sessions.get(ada), sessions.get(dan), sessions.get(eve))
    try:
        sessions.get(bob)
    except StaleHandleError as error:
        print(error)

    sessions.remove(ada)
    moved = sessions.compact()  # closes the hole; every handle is replaced
    print(sessions.slots, "slots;", sessions.get(moved[dan]), sessions.get(moved[eve]))
    print("old handles are stale:", dan not in sessions)


if __name__ == "__main__":
    main()
