"""A lazy buffer takes nothing until it is touched: for what most requests never need, such as an error's body."""

from streamarena.memory import BufferPool, LazyBuffer, request_scope


def main() -> None:
    pool = BufferPool()
    with request_scope() as arena:
        buffers = [arena.lease(LazyBuffer(65536, pool)) for _ in range(100)]
        print("before:", pool.stats().outstanding, "buffers are out")
        buffers[7].view[:3] = b"404"
        print("after the first touch:", pool.stats().outstanding, "of", len(buffers))
    print("after the scope:", pool.stats().outstanding)


if __name__ == "__main__":
    main()
