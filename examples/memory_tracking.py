"""The allocation tracker counts what Python asks malloc for, since a mark or within one section of code."""

from streamarena.memory import AllocationTracker


def main() -> None:
    tracker = AllocationTracker()
    tracker.start()
    print("figures come from:", tracker.source, f"({tracker.refusal})" if tracker.refusal else "")

    mark = tracker.mark("before")
    held = [bytearray(10_000) for _ in range(100)]
    print("since the mark:", tracker.since(mark))

    slot = tracker.slot()
    with slot:  # synchronous code only: other tasks would be counted too
        held.append(bytearray(50_000))
    print("in the section:", slot.count, "allocations,", slot.bytes, "bytes")
    held.clear()
    print("after giving back:", tracker.since(mark).allocated < 100_000)


if __name__ == "__main__":
    main()
