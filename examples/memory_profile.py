"""The manager owns every part of the memory system; its profiler takes snapshots, finds slopes and reports."""

import asyncio

from streamarena.memory import MemoryConfig, MemoryManager
from streamarena.pipeline.background import profile_in_background


async def main() -> None:
    manager = MemoryManager(MemoryConfig(interner_bytes=100_000))
    forgotten: list[object] = []
    async with profile_in_background(manager, interval=0.02) as profiler:
        for number in range(30):
            async with manager.request_scope(label=f"request {number}") as arena:
                arena.alloc_bytes(b"x" * 1000)
                arena.lease(manager.token_pool.acquire()).value.append("chunk")
                manager.interner.text(b"assistant")
                await asyncio.sleep(0.01)
            forgotten.append(manager.buffers.acquire(100))  # a leak, for the report to show
    report = profiler.report()
    print(report.to_text())
    print("leases leak:", report.slopes["leases"].growth > 10, "- out:", manager.stats().outstanding)


if __name__ == "__main__":
    asyncio.run(main())
