"""An interner keeps one str for a text that comes again and again, within limits, and looks it up without a copy."""

from streamarena.memory import StringInterner

EVENT = b'{"model":"gpt-4o-mini","role":"assistant"}'


def main() -> None:
    interner = StringInterner(max_bytes=100_000, max_entries=1000, max_text_bytes=64)
    start = EVENT.index(b"gpt")
    models = [interner.text(EVENT, start, start + len("gpt-4o-mini")) for _ in range(1000)]
    print("one object for all:", len({id(model) for model in models}) == 1)

    user, assistant, again = interner.intern_many(["user", "assistant", b"user"])
    print(user is again, user is assistant, interner.resolve(assistant))

    long = "x" * 1000
    print("too long to be kept, and returned as it is:", interner.text(long) == long, len(interner), "texts")
    stats = interner.stats()
    print(f"{stats.bytes_saved:,} of {stats.bytes_seen:,} bytes saved, {stats.memory:,} bytes of tables and texts")


if __name__ == "__main__":
    main()
