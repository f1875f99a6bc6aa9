"""A cache of files: least recently used out first, and a ceiling that pinned files count against."""

import asyncio
import tempfile
from pathlib import Path

from streamarena.errors import FileCacheFullError
from streamarena.memory import MmapCache


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "first.jsonl", Path(folder) / "second.jsonl"
        first.write_bytes(b'{"n": 1}\n' * 60)
        second.write_bytes(b'{"n": 2}\n' * 60)
        cache = MmapCache(limit=1000)

        with await cache.load(first, offload=asyncio.to_thread) as file:  # read off the event loop, pinned until here
            print(bytes(file.view[:8]), "mapped" if file.mapped else "read")
            try:
                cache.get(second)
            except FileCacheFullError as error:
                print(error)

        with cache.get(second):  # the first one is not pinned any more, and makes room
            print(cache.stats().evictions, "evicted,", cache.stats().bytes, "bytes held")

        second.write_bytes(b"changed\n")
        with cache.get(second) as file:
            print(bytes(file))


if __name__ == "__main__":
    asyncio.run(main())
