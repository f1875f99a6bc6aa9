"""A request is a scope: what it takes goes back when it ends, last taken first; a quota says when it is too much."""

from streamarena.errors import QuotaExceededError, ScopeClosedError
from streamarena.memory import current_arena, request_scope


def keep(received: memoryview) -> None:
    """Anywhere below, in child tasks too, the scope is at hand without being passed on."""
    current_arena().alloc_bytes(received)


def main() -> None:
    with request_scope(label="chat", quota=100_000) as arena:
        span = arena.alloc_bytes(b"a fragment that lives to the end of the request")
        keep(memoryview(b"borrowed bytes"))
        page = arena.buffer(65536)  # pooled; goes back by itself
        page.view[:5] = b"hello"
        arena.defer(lambda: print("released before the buffer, because it was taken after it"))
        with request_scope(label="tool call") as inner:
            inner.alloc_bytes(b"arguments")
            print(arena.tree())
        try:
            arena.buffer(65536)
        except QuotaExceededError as error:
            print(error)
        print(bytes(span)[:10])
    try:
        bytes(span)
    except ScopeClosedError as error:
        print(error)
    print(arena.stats())


if __name__ == "__main__":
    main()
