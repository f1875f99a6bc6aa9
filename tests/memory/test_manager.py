"""The manager: one configuration, one report, one end, and a fresh start in a forked child."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys

import pytest

from streamarena.errors import ConfigurationError
from streamarena.memory import (
    BufferPool,
    GenerationalArena,
    MemoryConfig,
    MemoryManager,
    MemoryProfiler,
    MmapCache,
    ObjectPool,
    PoolFamily,
    StringInterner,
    current_arena,
    default_manager,
    default_resources,
    request_scope,
)
from streamarena.memory.config import ENVIRONMENT, parse_bytes


def test_the_defaults_are_the_documents_budget():
    config = MemoryConfig()
    assert config.arena_bytes == 1 << 20
    assert config.pool_bytes == 2 << 20
    assert config.buffer_counts == (100, 50, 10)
    assert config.interner_bytes == 500_000
    assert config.tracking_bytes == 100_000
    assert config.file_bytes == 100 << 20


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("500000", 500_000), ("64KiB", 65536), (" 2 MB ", 2_000_000), ("1gib", 1 << 30)]
)
def test_sizes_may_carry_units(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["-1", "much", "1.5MB", "1XB", "1 2MB", "1_000", "MB", "", "१", "9" * 20])
def test_what_is_no_size_is_named_with_what_is_accepted(text):
    with pytest.raises(ConfigurationError, match=r"STREAMARENA_FILE_BYTES.*KiB, MB"):
        parse_bytes(text, "STREAMARENA_FILE_BYTES")


VALUES = {"debug": ("memory", True), "buffer_counts": ("1, 2,3", (1, 2, 3))}


@pytest.mark.parametrize("variable", ENVIRONMENT)
def test_every_environment_variable_reaches_its_setting(variable):
    field, _ = ENVIRONMENT[variable]
    text, value = VALUES.get(field, ("12345", 12345))
    assert getattr(MemoryConfig.from_environ({variable: text}), field) == value
    assert MemoryConfig.from_environ({variable: ""}) == MemoryConfig()
    with pytest.raises(ConfigurationError, match=f"{variable}='lots' is"):
        MemoryConfig.from_environ({variable: "lots"})


def test_every_setting_has_a_variable():
    assert {name for name, _ in ENVIRONMENT.values()} == {field.name for field in dataclasses.fields(MemoryConfig)}


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("STREAMARENA_POOL_OBJECTS", "64KiB"),
        ("STREAMARENA_INTERNER_ENTRIES", "-1"),
        ("STREAMARENA_BUFFER_COUNTS", "1,2"),
        ("STREAMARENA_BUFFER_COUNTS", "1,2,3,4"),
        ("STREAMARENA_BUFFER_COUNTS", "1,2,MB"),
    ],
)
def test_a_count_takes_no_unit(variable, text):
    with pytest.raises(ConfigurationError, match="number"):
        MemoryConfig.from_environ({variable: text})


@pytest.mark.parametrize("text", ["1", "true", "Memory", "client", "memory,", "memory,client", "all"])
def test_debugging_something_unknown_is_refused_with_what_is_known(text):
    with pytest.raises(ConfigurationError, match=r"STREAMARENA_DEBUG=.*not one of: memory$"):
        MemoryConfig.from_environ({"STREAMARENA_DEBUG": text})


@pytest.mark.parametrize(
    "wrong",
    [
        {"arena_bytes": -1},
        {"buffer_counts": (1, -2, 3)},
        {"buffer_counts": (1, 2)},
        {"buffer_counts": [1, 2, 3]},
        {"pool_bytes": "2"},
        {"file_bytes": 1.5},
        {"pool_objects": True},
        {"debug": 1},
    ],
    ids=str,
)
def test_a_wrong_configuration_is_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        MemoryConfig(**wrong)


PARTS = {
    "ObjectPool(max_size=...)": lambda wrong: ObjectPool(list, max_size=wrong),
    "PoolFamily(max_size=...)": lambda wrong: PoolFamily("x", max_size=wrong),
    "PoolFamily(max_pools=...)": lambda wrong: PoolFamily("x", max_pools=wrong),
    "BufferPool(counts=...)": lambda wrong: BufferPool((1, wrong, 3)),
    "BufferPool(idle_limit=...)": lambda wrong: BufferPool(idle_limit=wrong),
    "StringInterner(max_bytes=...)": StringInterner,
    "StringInterner(max_entries=...)": lambda wrong: StringInterner(max_entries=wrong),
    "StringInterner(max_text_bytes=...)": lambda wrong: StringInterner(max_text_bytes=wrong),
    "MmapCache(limit=...)": MmapCache,
    "GenerationalArena(capacity=...)": GenerationalArena,
    "MemoryProfiler(max_bytes=...)": lambda wrong: MemoryProfiler({}, wrong),
    "request_scope(quota=...)": lambda wrong: request_scope(quota=wrong),
}


@pytest.mark.parametrize("wrong", [-1, 1.5, "10", True], ids=repr)
@pytest.mark.parametrize("setting", PARTS)
def test_every_part_refuses_a_wrong_limit_when_it_is_made(setting, wrong):
    with pytest.raises(ConfigurationError, match=re.escape(f"{setting} takes a whole number from 0 on")):
        PARTS[setting](wrong)


def test_the_limits_reach_their_parts():
    manager = MemoryManager(
        MemoryConfig(
            arena_bytes=1, pool_bytes=2, buffer_counts=(3, 4, 5), pool_objects=6, interner_bytes=7, file_bytes=8
        )
    )
    assert manager.resources.chunks.limit == 1
    assert (manager.buffers.idle_limit, manager.buffers.counts) == (2, (3, 4, 5))
    assert manager.token_pool.max_size == manager.request_pool.max_size == manager.response_pool.max_size == 6
    assert manager.interner.max_bytes == 7
    assert manager.files.limit == 8


def test_parts_are_made_on_first_use_and_once():
    manager = MemoryManager()
    assert "files" not in vars(manager)
    assert manager.files is manager.files
    assert "files" in vars(manager)


def test_a_scope_of_the_manager_draws_on_its_resources():
    manager = MemoryManager()
    with manager.request_scope(quota=1 << 20, label="chat") as arena:
        assert current_arena() is arena
        arena.alloc_bytes(b"x" * 1000)
        arena.lease(manager.token_pool.acquire())
        arena.buffer(10)
        stats = manager.stats()
        assert stats.outstanding == 2
        assert stats.arenas.open == 1
        assert stats.arenas.chunks.bytes_out == 4096
    stats = manager.stats()
    assert (stats.outstanding, stats.arenas.open, stats.arenas.bytes) == (0, 0, 1000)
    assert stats.reuse == 0.0
    json.dumps(stats.as_dict())


def test_the_reuse_of_all_pools_together():
    manager = MemoryManager()
    for _ in range(10):
        manager.buffers.acquire(1).release()
        manager.request_pool.pool("openai-chat", list).acquire().release()
    assert manager.stats().reuse == 18 / 20


def test_trim_follows_the_time():
    manager = MemoryManager()
    manager.trim(0.0)
    for buffer in [manager.buffers.acquire(1) for _ in range(5)]:
        buffer.release()
    manager.trim(31.0)
    assert manager.trim(40.0) == 0
    assert manager.trim(62.0) == 5 * 4096


def test_close_drops_what_is_idle_and_leaves_what_is_out():
    manager = MemoryManager()
    held = manager.buffers.acquire(1)
    manager.buffers.acquire(1).release()
    with manager.request_scope() as arena:
        arena.alloc_bytes(b"x")
    manager.interner.intern("x")
    manager.close()
    stats = manager.stats()
    assert stats.buffers.idle_bytes == stats.arenas.chunks.bytes_free == stats.interner.entries == 0
    assert held.release() is True


def test_the_default_manager_is_the_one_behind_plain_scopes():
    manager = default_manager()
    assert default_manager() is manager
    assert manager.resources is default_resources()


def test_the_default_manager_reads_the_environment_once_it_is_used():
    script = "from streamarena.memory import default_manager; print(default_manager().config.file_bytes)"
    for value, expected in (("5MB", "5000000"), ("", str(100 << 20))):
        environment = {**os.environ, "STREAMARENA_FILE_BYTES": value}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected


def test_malloc_tuning_refuses_nonsense():
    with pytest.raises(ConfigurationError):
        MemoryManager().tune_malloc(trim_threshold=-1)


def test_malloc_tuning_says_whether_it_worked():
    script = "from streamarena.memory import MemoryManager; print(MemoryManager().tune_malloc())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in {"True", "False"}


FORK = """
import os, threading
from streamarena.memory import CopyOnWrite, MemoryManager, cow, _nesting
manager = MemoryManager()
shared = CopyOnWrite([])
manager.buffers.acquire(1).release()
manager.token_pool.acquire().release()
manager.interner.intern("x")
manager.profiler.sample(0.0)
locked, go = threading.Event(), threading.Event()
def hold():
    with manager.buffers._lock, manager.token_pool._lock, manager.interner._lock, manager.resources.chunks._lock, \\
            cow._Counts.lock, _nesting._Quotas.lock, manager.resources.opened._lock:
        locked.set(); go.wait()
thread = threading.Thread(target=hold); thread.start(); locked.wait()
pid = os.fork()
if not pid:
    assert manager.stats().buffers.idle_bytes == 0
    assert shared.share().edit() == []
    with manager.request_scope(quota=1 << 20) as arena:
        arena.alloc_bytes(b"in the child"); arena.buffer(1); arena.lease(manager.token_pool.acquire())
    assert manager.interner.text("x") == "x"
    manager.profiler.sample(1.0)
    os._exit(0)
go.set(); thread.join()
assert os.waitpid(pid, 0)[1] == 0
assert manager.stats().buffers.idle_bytes == 4096
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_starts_afresh_whatever_other_threads_held():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], check=True, timeout=20)


def test_trim_lets_every_pool_go_at_its_own_pace():
    manager = MemoryManager()
    taken = [manager.token_pool.acquire() for _ in range(50)]
    for one in taken:
        one.release()
    manager.trim(0.0)
    assert manager.token_pool.stats().idle == 50
    manager.trim(10.0)
    assert manager.token_pool.stats().idle == 50
    manager.trim(31.0)
    assert manager.token_pool.stats().idle == 0


def test_closing_makes_nothing_that_was_never_used():
    manager = MemoryManager()
    manager.close()
    assert not {"profiler", "tracker", "interner", "files", "token_pool"} & set(manager.__dict__)
