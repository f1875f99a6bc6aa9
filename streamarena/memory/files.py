"""A cache of file contents: least recently used out first, with a ceiling that pinned files cannot break through.

Invariants: bytes of files that are cached, pinned or evicted but still looked at never pass `limit`; what was lent
stays whole until it is released, whatever happens to the file; a file that was replaced or changed is read anew at the
next `get`. By default contents are read into memory: then nothing that others do to the file can hurt this process.
`immutable=True` maps the file instead. That is a promise of the caller that nobody will ever shorten or change it in
place (replacing it by rename is fine): **if it is shortened while mapped, reading the missing part kills the process**
(SIGBUS), and nothing in Python can stop that.
Costs: a hit with its release 7 us (one stat, two locks). Reading is faster than mapping below 8 MB; mapping pays for
large files of which little is touched.
Not here: writing, directories, devices and pipes; waiting (a coroutine hands its own `offload` to `load`).
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import traceback
import warnings
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from threading import Lock
from typing import TYPE_CHECKING, Self, TypeAlias

import msgspec

from streamarena.errors import FileCacheFullError, FileChangedError, ReleasedError
from streamarena.memory._blocks import Block, is_exported, new_block
from streamarena.memory._checks import check_setting

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["FileCacheStats", "MappedFile", "MmapCache", "Offload"]

Offload: TypeAlias = Callable[[Callable[[], "MappedFile"]], Awaitable["MappedFile"]]
"""Runs a callable off the event loop: `asyncio.to_thread`, `anyio.to_thread.run_sync`."""

_ATTEMPTS = 3
_Identity: TypeAlias = tuple[int, int, int, int]


class _Content:
    """The bytes of one file as it was, and who holds them."""

    __slots__ = ("block", "identity", "mapped", "pins", "size", "view")

    def __init__(self, block: Block, identity: _Identity, *, mapped: bool) -> None:
        self.block = block
        self.identity = identity
        self.mapped = mapped
        self.size = identity[2]
        self.pins = 0
        self.view = memoryview(block).toreadonly()[: self.size]

    def let_go(self) -> bool:
        """Free the memory; False while somebody still has a view of it."""
        self.view.release()
        if is_exported(self.block) if isinstance(self.block, bytearray) else not _close(self.block):
            self.view = memoryview(self.block).toreadonly()[: self.size]
            return False
        self.block = bytearray()
        return True


def _close(block: mmap.mmap) -> bool:
    try:
        block.close()
    except BufferError:
        return False
    return True


class MappedFile:
    """The content of one file, pinned until `release()` or the end of its `with` block.

    Attributes:
        path: the file, as it was asked for.
        mapped: whether it is, or was, mapped; otherwise it was read.
    """

    __slots__ = ("_cache", "_content", "_site", "mapped", "path")

    def __init__(self, cache: MmapCache, path: str, content: _Content) -> None:
        self._site = "".join(traceback.format_stack(limit=8)[:-2]) if cache.debug else None
        self._cache = cache
        self._content: _Content | None = content
        self.path = path
        self.mapped = content.mapped

    @property
    def view(self) -> memoryview:
        """The bytes, read only. A slice that is kept past `release` stays valid, and counts against the limit.

        Raises:
            ReleasedError: the file was released; so do `bytes` and `len`.
        """
        if self._content is None:
            raise ReleasedError(f"content of {self.path}", "its cache")
        return self._content.view[:]

    @property
    def released(self) -> bool:
        """Whether the file was released."""
        return self._content is None

    def release(self) -> None:
        """Unpin the file, so that it may be evicted. Again: nothing."""
        content, self._content = self._content, None
        if content is not None:
            self._cache._unpin(content)

    def __repr__(self) -> str:
        if self._content is None:
            return f"<MappedFile {self.path} released>"
        return f"<MappedFile {self.path} {'mapped' if self.mapped else 'read'}, {self._content.size} bytes>"

    def __bytes__(self) -> bytes:
        with self.view as view:
            return bytes(view)

    def __len__(self) -> int:
        with self.view as view:
            return len(view)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()

    def __del__(self) -> None:
        content = getattr(self, "_content", None)
        if content is not None:  # dropped without release; finalizers take no lock, the next call makes up for it
            self._cache._dropped.append(content)
            if self._site is not None:
                message = f"the content of {self.path} was never released; taken at\n{self._site}"
                warnings.warn(message, ResourceWarning, stacklevel=2, source=self)


class FileCacheStats(msgspec.Struct, frozen=True):
    """What a cache holds and has done.

    Attributes:
        files: cached; pinned: of those, with a holder; bytes: all that counts against `limit`.
        lingering: bytes evicted or replaced whose views somebody still has.
        hits, misses: `get` calls; evictions: files let go to make room; reloads: files that had changed.
        forgotten: files that were dropped without release.
    """

    files: int
    pinned: int
    bytes: int
    lingering: int
    limit: int
    hits: int
    misses: int
    evictions: int
    reloads: int
    forgotten: int


class MmapCache:
    """File contents, shared by path. Safe from several threads.

    Args:
        limit: bytes of all files that are cached, pinned or not yet released.
        debug: remember who took what, and warn about what was not released.

    Raises:
        ConfigurationError: `limit` is no whole number from 0 on.
    """

    def __init__(self, limit: int = 100 << 20, *, debug: bool = False) -> None:
        check_setting("MmapCache(limit=...)", limit)
        self.debug = debug
        self.limit = limit
        self._files: OrderedDict[tuple[str, bool], _Content] = OrderedDict()
        self._lingering: list[_Content] = []
        self._dropped: list[_Content] = []
        self._bytes = self._hits = self._misses = self._evictions = self._reloads = self._forgotten = 0
        self._lock = Lock()

    def get(self, path: str | os.PathLike[str], *, immutable: bool = False) -> MappedFile:
        """Return the content of a file, pinned. Reads from the disk: not for the event loop, see `load`.

        Args:
            path: a regular file. Its spelling is the key; what was cached under it is checked against the file itself.
            immutable: map it instead of reading it. Promises that nobody shortens or changes it in place; see the
                module's docstring for what breaking the promise does.

        Raises:
            OSError: it is missing (also after it was cached), unreadable, or no regular file.
            FileCacheFullError: it does not fit beside what is pinned or still looked at.
            FileChangedError: it changed during every attempt to read it.
        """
        name = os.fspath(path)
        identity = _identity(os.stat(name))  # noqa: PTH116 - a Path would cost as much as the look-up
        with self._lock:
            self._settle()
            content = self._files.get((name, immutable))
            if content is not None and content.identity == identity:
                self._hits += 1
                self._files.move_to_end((name, immutable))
                content.pins += 1
                return MappedFile(self, name, content)
            if content is not None:
                self._reloads += 1
                self._evict((name, immutable))
            self._misses += 1
        return self._load(name, immutable=immutable)

    async def load(self, path: str | os.PathLike[str], *, offload: Offload, immutable: bool = False) -> MappedFile:
        """Return the content of a file, pinned, read by `offload` and not on the event loop.

        Raises as `get`. A cancellation while it is read leaves nothing pinned.
        """
        return await offload(lambda: self.get(path, immutable=immutable))

    def clear(self) -> None:
        """Evict every file that nobody holds."""
        with self._lock:
            self._settle()
            for key in [key for key, content in self._files.items() if not content.pins]:
                self._evict(key)

    def after_fork(self) -> None:
        """Start afresh in a forked child: another thread of the parent may have held the lock."""
        self._lock = Lock()

    def stats(self) -> FileCacheStats:
        """Return the present figures."""
        with self._lock:
            self._settle()
            return FileCacheStats(
                files=len(self._files),
                pinned=sum(content.pins > 0 for content in self._files.values()),
                bytes=self._bytes,
                lingering=sum(content.size for content in self._lingering),
                limit=self.limit,
                hits=self._hits,
                misses=self._misses,
                evictions=self._evictions,
                reloads=self._reloads,
                forgotten=self._forgotten,
            )

    # ------------------------------------------------------------ loading

    def _load(self, name: str, *, immutable: bool) -> MappedFile:
        for _ in range(_ATTEMPTS):
            file = os.open(name, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
            try:
                identity = _identity(os.fstat(file))
                self._reserve(identity[2])
                content = None
                try:
                    content = _map(file, identity) if immutable else _read(file, identity)
                finally:
                    if content is None:
                        with self._lock:
                            self._bytes -= identity[2]
            finally:
                os.close(file)
            if content is not None:
                return self._keep(name, content, immutable=immutable)
        raise FileChangedError(name, _ATTEMPTS)

    def _keep(self, name: str, content: _Content, *, immutable: bool) -> MappedFile:
        key = (name, immutable)
        with self._lock:
            other = self._files.get(key)
            if other is not None and other.identity == content.identity:  # another thread was faster
                if content.let_go():
                    self._bytes -= content.size
                content = other
                self._files.move_to_end(key)
            else:
                if other is not None:
                    self._evict(key)
                self._files[key] = content
            content.pins += 1
            return MappedFile(self, name, content)

    def _reserve(self, size: int) -> None:
        with self._lock:
            self._settle()
            for key in list(self._files):
                if self._bytes + size <= self.limit:
                    break
                if not self._files[key].pins:
                    self._evictions += 1
                    self._evict(key)
            if self._bytes + size > self.limit:
                raise FileCacheFullError(
                    self.limit, self._bytes + size, "MmapCache(limit=...) or STREAMARENA_FILE_BYTES"
                )
            self._bytes += size

    # ------------------------------------------------------------ letting go, with the lock held

    def _unpin(self, content: _Content) -> None:
        with self._lock:
            content.pins -= 1

    def _evict(self, key: tuple[str, bool]) -> None:
        content = self._files.pop(key)
        if content.pins or not content.let_go():
            self._lingering.append(content)
        else:
            self._bytes -= content.size

    def _settle(self) -> None:
        while self._dropped:
            self._dropped.pop().pins -= 1
            self._forgotten += 1
        if self._lingering:
            kept: list[_Content] = []
            for content in self._lingering:
                if content.pins or not content.let_go():
                    kept.append(content)
                else:
                    self._bytes -= content.size
            self._lingering = kept


def _identity(status: os.stat_result) -> _Identity:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "only regular files can be cached")
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _map(file: int, identity: _Identity) -> _Content:
    block: Block = mmap.mmap(file, identity[2], access=mmap.ACCESS_READ) if identity[2] else bytearray()
    return _Content(block, identity, mapped=True)


def _read(file: int, identity: _Identity) -> _Content | None:
    """Read the whole file; None if it was not the same afterwards."""
    size = identity[2]
    block = new_block(size) if size else bytearray()
    filled = 0
    with memoryview(block) as view:
        while filled < size:
            count = os.readv(file, [view[filled:]]) if hasattr(os, "readv") else _read_into(file, view[filled:])
            if not count:
                return None
            filled += count
    if _identity(os.fstat(file)) != identity:
        return None
    return _Content(block, identity, mapped=False)


def _read_into(file: int, view: memoryview) -> int:
    data = os.read(file, min(len(view), 1 << 20))
    view[: len(data)] = data
    return len(data)
