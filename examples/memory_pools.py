"""An object pool keeps what is costly to make: reset when it comes back, lent to one holder at a time."""

from streamarena.errors import DoubleReleaseError
from streamarena.memory import ObjectPool, request_scope
from streamarena.sse import SSEParser


def main() -> None:
    pool = ObjectPool(SSEParser, lambda parser: parser.reset(keep_last_event_id=False), max_size=8, name="parsers")
    for _ in range(20):
        with pool.acquire() as parser:
            parser.feed(b"data: hello\n\n")

    with request_scope() as arena:  # or let the request's scope give it back
        lease = arena.lease(pool.acquire())
        lease.value.feed(b"data: cut sho")

    broken = pool.acquire()
    broken.poison()  # its state cannot be trusted: it will not be lent again
    broken.release()
    try:
        broken.release()
    except DoubleReleaseError as error:
        print(error)
    stats = pool.stats()
    print(f"{stats.name}: reuse {stats.reuse:.0%}, idle {stats.idle}, refused {stats.refused}, out {stats.outstanding}")


if __name__ == "__main__":
    main()
