"""A buffer pool lends 4 KiB, 64 KiB and 1 MiB, and takes back only what nobody looks at any more."""

from streamarena.memory import BufferPool


def main() -> None:
    pool = BufferPool()
    for _ in range(100):
        with pool.acquire(10_000) as buffer:  # the 64 KiB tier
            buffer.view[:3] = b"abc"

    kept = pool.acquire(100)
    view = kept.view[:10]  # a slice that outlives the loan
    print("goes back:", kept.release(), "- the view is still alive, so nobody else gets these bytes")
    print(len(view), "bytes stay readable")

    for tier in pool.stats().tiers:
        print(
            f"{tier.size:>8}: reuse {tier.reuse:.0%}, idle {tier.idle}, refused {tier.refused}, out {tier.outstanding}"
        )
    pool.trim(now=0.0)  # any steady clock; called now and then, it gives back what nobody needed
    print("trimmed:", pool.trim(now=60.0), "bytes")


if __name__ == "__main__":
    main()
