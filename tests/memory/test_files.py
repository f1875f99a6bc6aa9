"""The file cache: a ceiling that holds, the least recently used out first, and files that change under it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamarena.errors import FileCacheFullError, FileChangedError, ReleasedError
from streamarena.memory import MemoryConfig, MemoryManager, files
from streamarena.memory.files import MmapCache


@pytest.fixture(params=[False, True], ids=["read", "mapped"])
def immutable(request):
    return request.param


def write(folder, name, size):
    path = folder / name
    path.write_bytes(name.encode()[:1] * size)
    return path


def test_a_file_is_read_once_and_shared(tmp_path, immutable):
    cache, path = MmapCache(), write(tmp_path, "a", 5000)
    with cache.get(path, immutable=immutable) as one, cache.get(path, immutable=immutable) as two:
        assert bytes(one) == b"a" * 5000
        assert len(two) == 5000
        assert one.mapped is immutable
        assert one.view.readonly
        assert cache.stats().bytes == 5000
    assert (cache.stats().hits, cache.stats().misses, cache.stats().pinned) == (1, 1, 0)


def test_an_empty_file_is_a_file(tmp_path, immutable):
    with MmapCache().get(write(tmp_path, "a", 0), immutable=immutable) as file:
        assert bytes(file) == b""


def test_a_released_file_cannot_be_read(tmp_path, immutable):
    file = MmapCache().get(write(tmp_path, "a", 10), immutable=immutable)
    file.release()
    file.release()
    assert file.released
    assert file.mapped is immutable
    assert repr(file) == f"<MappedFile {file.path} released>"
    for read in (lambda: file.view, lambda: bytes(file), lambda: len(file)):
        with pytest.raises(ReleasedError, match=r"content of .*a was given back to its cache"):
            read()


def test_the_least_recently_used_goes_first_and_not_the_smallest(tmp_path, immutable):
    cache = MmapCache(limit=1000)
    big, small, third = write(tmp_path, "b", 600), write(tmp_path, "s", 100), write(tmp_path, "t", 700)
    for path in (big, small, big, small):
        cache.get(path, immutable=immutable).release()
    with cache.get(third, immutable=immutable):
        assert cache.stats().evictions == 1
        assert cache.stats().bytes == 800
    cache.get(small, immutable=immutable).release()
    assert cache.stats().hits == 3


def test_pinned_files_are_not_evicted_and_the_limit_holds(tmp_path, immutable):
    cache = MmapCache(limit=1000)
    with cache.get(write(tmp_path, "a", 600), immutable=immutable) as held:
        with pytest.raises(FileCacheFullError, match="STREAMARENA_FILE_BYTES") as caught:
            cache.get(write(tmp_path, "b", 500), immutable=immutable)
        assert caught.value.limit == 1000
        assert cache.stats().bytes == 600
        assert bytes(held) == b"a" * 600
    with cache.get(tmp_path / "b", immutable=immutable):
        assert cache.stats().bytes == 500


def test_a_view_that_is_still_looked_at_counts_after_eviction(tmp_path, immutable):
    cache = MmapCache(limit=1000)
    with cache.get(write(tmp_path, "a", 600), immutable=immutable) as file:
        view = file.view[:10]
    with pytest.raises(FileCacheFullError):
        cache.get(write(tmp_path, "b", 500), immutable=immutable)
    assert cache.stats().lingering == 600
    assert view == b"a" * 10
    view.release()
    with cache.get(tmp_path / "b", immutable=immutable):
        assert cache.stats().lingering == 0
        assert cache.stats().bytes == 500


def test_a_file_larger_than_the_limit_is_refused(tmp_path, immutable):
    with pytest.raises(FileCacheFullError):
        MmapCache(limit=10).get(write(tmp_path, "a", 11), immutable=immutable)


def test_a_file_that_was_replaced_is_read_anew(tmp_path, immutable):
    cache, path = MmapCache(), write(tmp_path, "a", 100)
    with cache.get(path, immutable=immutable) as old:
        write(tmp_path, "new", 50).rename(path)
        with cache.get(path, immutable=immutable) as new:
            assert bytes(new) == b"n" * 50
            assert bytes(old) == b"a" * 100
            assert cache.stats().bytes == 150
    assert cache.stats().reloads == 1
    assert cache.stats().bytes == 50


def test_a_file_that_was_changed_in_place_is_read_anew(tmp_path):
    cache, path = MmapCache(), write(tmp_path, "a", 100)
    cache.get(path).release()
    path.write_bytes(b"z" * 100)
    os.utime(path, ns=(1, 1))
    with cache.get(path) as file:
        assert bytes(file) == b"z" * 100


def test_a_file_that_is_shortened_while_held_stays_whole(tmp_path):
    cache, path = MmapCache(), write(tmp_path, "a", 1 << 20)
    with cache.get(path) as file:
        os.truncate(path, 0)
        assert bytes(file) == b"a" * (1 << 20)
        with cache.get(path) as shorter:
            assert bytes(shorter) == b""


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "deleted"])
def test_what_cannot_be_read_raises_an_os_error_and_holds_nothing(tmp_path, kind, immutable):
    cache, path = MmapCache(), tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "deleted":
        cache.get(write(tmp_path, "x", 10), immutable=immutable).release()
        path.unlink()
    with pytest.raises(OSError):  # noqa: PT011 - which one is the system's to say
        cache.get(path, immutable=immutable)
    cache.clear()
    assert cache.stats().bytes == 0


def test_a_file_that_never_holds_still_gives_up_with_a_clear_error(tmp_path, monkeypatch):
    cache, path = MmapCache(), write(tmp_path, "a", 100)
    identity, calls = files._identity, []

    def changing(status):
        calls.append(1)
        return (*identity(status)[:3], len(calls))

    monkeypatch.setattr(files, "_identity", changing)
    with pytest.raises(FileChangedError, match="3 attempts"):
        cache.get(path)
    assert cache.stats().bytes == 0


def test_a_file_that_is_dropped_without_release_is_unpinned_and_counted(tmp_path, immutable):
    cache = MmapCache()
    cache.get(write(tmp_path, "a", 10), immutable=immutable)
    gc.collect()
    assert cache.stats().forgotten == 1
    assert cache.stats().pinned == 0


def test_debug_names_who_forgot_to_release(tmp_path, immutable):
    cache = MmapCache(debug=True)
    write(tmp_path, "a", 10)
    with pytest.warns(ResourceWarning, match=r"(?s)never released; taken at.*test_debug_names_who_forgot"):
        cache.get(tmp_path / "a", immutable=immutable)
    with cache.get(tmp_path / "a", immutable=immutable):
        pass
    assert cache.stats().forgotten == 1
    assert MemoryManager(MemoryConfig(debug=True)).files.debug


async def test_loading_off_the_loop(tmp_path, immutable):
    cache, path = MmapCache(), write(tmp_path, "a", 10)
    loop_thread, threads = threading.get_ident(), []

    async def offload(call):
        def run():
            threads.append(threading.get_ident())
            return call()

        return await asyncio.to_thread(run)

    async with asyncio.timeout(10):
        with await cache.load(path, offload=offload, immutable=immutable) as file:
            assert bytes(file) == b"a" * 10
    assert threads != [loop_thread]


async def test_a_load_that_is_cancelled_leaves_nothing_pinned(tmp_path):
    cache, path, go = MmapCache(), write(tmp_path, "a", 10), asyncio.Event()

    async def offload(call):
        result = call()
        await go.wait()
        return result

    task = asyncio.create_task(cache.load(path, offload=offload))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    del task
    gc.collect()
    assert cache.stats().pinned == 0


def test_threads_load_a_file_together(tmp_path, immutable):
    cache, path, wrong = MmapCache(limit=250), write(tmp_path, "a", 200), []

    def work():
        for _ in range(200):
            try:
                with cache.get(path, immutable=immutable) as file:
                    if bytes(file) != b"a" * 200:
                        wrong.append(1)
            except FileCacheFullError:  # two loads of the first moment do not fit together
                pass

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert cache.stats().bytes == 200
    assert cache.stats().pinned == 0


CHILD = """
import os, sys
from streamarena.memory.files import MmapCache
path, immutable = sys.argv[1], sys.argv[2] == "mapped"
with MmapCache().get(path, immutable=immutable) as file:
    os.truncate(path, 0)
    print(sum(bytes(file)) > 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what a shortened map does differs between systems")
@pytest.mark.parametrize(("way", "outcome"), [("read", 0), ("mapped", -signal.SIGBUS)])
def test_only_a_broken_promise_kills_the_process(tmp_path, way, outcome):
    """The default survives a file cut short under it; `immutable=True` does not, as its documentation says."""
    path = write(tmp_path, "a", 1 << 20)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(path), way], capture_output=True, check=False, timeout=30
    )
    assert done.returncode == outcome, done.stderr


class Files(RuleBasedStateMachine):
    """Files are got, released, changed and looked at in any order; contents are right and the limit holds."""

    folder = None

    def __init__(self):
        super().__init__()
        self.cache = MmapCache(limit=1000)
        self.held, self.views, self.serial = [], [], 0
        for name in "abcd":
            self.change(name, 100)

    @rule(name=st.sampled_from("abcd"), size=st.integers(0, 700))
    def change(self, name, size):
        self.serial += 1
        temporary = self.folder / "new"
        temporary.write_bytes((b"%d," % self.serial * 200)[:size])
        temporary.rename(self.folder / name)

    @rule(name=st.sampled_from("abcd"), immutable=st.booleans())
    def get(self, name, immutable):
        expected = (self.folder / name).read_bytes()
        try:
            file = self.cache.get(self.folder / name, immutable=immutable)
        except FileCacheFullError:
            assert self.cache.stats().bytes + len(expected) > 1000
        else:
            assert bytes(file) == expected
            self.held.append((file, expected))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data):
        self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))[0].release()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def look(self, data):
        file, expected = data.draw(st.sampled_from(self.held))
        self.views.append((file.view[1:], expected[1:]))

    @precondition(lambda self: self.views)
    @rule()
    def look_away(self):
        self.views.pop()[0].release()

    @rule()
    def clear(self):
        self.cache.clear()

    @invariant()
    def whole_and_bounded(self):
        for file, expected in self.held:
            assert bytes(file) == expected
        for view, expected in self.views:
            assert view == expected
        assert self.cache.stats().bytes <= 1000

    def teardown(self):
        self.views.clear()
        for file, _ in self.held:
            file.release()
        self.cache.clear()
        assert self.cache.stats().bytes == 0


def test_any_order_of_use_keeps_files_whole(tmp_path):
    machine = type("Machine", (Files,), {"folder": tmp_path})
    machine.TestCase.settings = settings(
        max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
    )
    machine.TestCase().runTest()
