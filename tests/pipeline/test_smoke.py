from __future__ import annotations

import asyncio

import pytest

from streamarena.pipeline import Pipeline, filter, map_async, tap


class Lines:
    def __init__(self):
        self.buf = ""

    def feed(self, item):
        *lines, self.buf = (self.buf + item).split("\n")
        return lines

    def flush(self):
        return [self.buf] if self.buf else []


async def agen(n, closed=None):
    try:
        for i in range(n):
            yield i
            await asyncio.sleep(0)
    finally:
        if closed is not None:
            closed.append(1)


def test_run():
    p = Pipeline(str.upper, Lines, filter(len)) | len
    assert p.run(["a", "b\nc", "\n\nddd"]) == [2, 1, 3]


async def test_over():
    f = Pipeline(lambda x: x * 2, filter(lambda x: x % 4 == 0)).over(agen(10))
    assert [x async for x in f] == [0, 4, 8, 12, 16]
    out = []
    await Pipeline(lambda x: x * 2).over(range(200)).for_each(out.append)
    assert out == [2 * x for x in range(200)]


@pytest.mark.parametrize("ordered", [True, False])
async def test_async(ordered):
    live = 0
    peak = 0

    async def f(x):
        nonlocal live, peak
        live += 1
        peak = max(peak, live)
        await asyncio.sleep(0.001 * (x % 3))
        live -= 1
        return x + 1

    before = asyncio.all_tasks()
    flow = Pipeline(lambda x: x, map_async(f, concurrency=4, ordered=ordered), lambda x: x * 10).over(agen(50))
    res = [x async for x in flow]
    assert sorted(res) == [10 * (x + 1) for x in range(50)]
    if ordered:
        assert res == sorted(res)
    assert 2 <= peak <= 4
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("ordered", [True, False])
async def test_async_fail(ordered):
    async def f(x):
        await asyncio.sleep(0.001)
        if x == 7:
            raise ValueError(x)
        return x

    closed = []
    res = []
    before = asyncio.all_tasks()
    flow = Pipeline(map_async(f, concurrency=4, ordered=ordered), tap(res.append)).over(agen(50, closed))
    with pytest.raises(ValueError, match="7"):
        await flow.for_each(lambda item: None)
    if ordered:
        assert res == list(range(7))
    assert closed == [1]
    assert asyncio.all_tasks() == before


async def test_break():
    closed = []

    async def f(x):
        await asyncio.sleep(0.001)
        return x

    before = asyncio.all_tasks()
    async with Pipeline(map_async(f, concurrency=4)).over(agen(50, closed)) as flow:
        async for _ in flow:
            break
    assert closed == [1]
    assert asyncio.all_tasks() == before
    async for _ in Pipeline(map_async(f, concurrency=4)).over(agen(50, closed)):
        break
    await asyncio.sleep(0.01)
    assert closed == [1, 1]
    assert asyncio.all_tasks() == before
