"""The watch notices a client that leaves from the first line on, and loses no message of the body."""

from __future__ import annotations

import asyncio

import pytest

from streamarena.errors import ConfigurationError
from streamarena.relay.disconnect import DisconnectPolicy, DisconnectWatch


class Server:
    """A server's `receive`, fed by hand."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self.taken = 0

    async def receive(self):
        message = await self.queue.get()
        self.taken += 1
        return message

    def body(self, data: bytes, *, more: bool) -> None:
        self.queue.put_nowait({"type": "http.request", "body": data, "more_body": more})

    def leave(self) -> None:
        self.queue.put_nowait({"type": "http.disconnect"})


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_messages_come_unchanged_and_in_order():
    server, seen = Server(), []
    with DisconnectWatch(server.receive, lambda: None, seen.append) as watch:
        for number in range(5):
            server.body(b"%d" % number, more=number < 4)
        taken = [await watch.receive() for _ in range(5)]
    assert [m["body"] for m in taken] == [b"0", b"1", b"2", b"3", b"4"]
    assert seen == taken


async def test_one_message_is_held_and_no_more():
    server = Server()
    with DisconnectWatch(server.receive, lambda: None) as watch:
        for _ in range(5):
            server.body(b"x", more=True)
        await settle()
        assert server.taken == 1
        await watch.receive()
        await settle()
        assert server.taken == 2


async def test_leaving_is_noticed_though_the_application_never_asked():
    server, left = Server(), []
    with DisconnectWatch(server.receive, lambda: left.append(1)) as watch:
        server.body(b"{}", more=False)
        server.leave()
        await settle()
        assert (left, watch.disconnected) == ([1], True)
        assert (await watch.receive())["body"] == b"{}"
        assert [(await watch.receive())["type"] for _ in range(3)] == ["http.disconnect"] * 3


async def test_everybody_who_waits_is_told():
    server = Server()
    with DisconnectWatch(server.receive, lambda: None) as watch:
        waiting = [asyncio.create_task(watch.receive()) for _ in range(3)]
        await settle()
        server.leave()
        assert [m["type"] for m in await asyncio.gather(*waiting)] == ["http.disconnect"] * 3


async def test_while_quiet_the_application_is_not_told():
    server = Server()
    with DisconnectWatch(server.receive, lambda: None) as watch:
        watch.quiet = True
        waiting = asyncio.create_task(watch.receive())
        server.leave()
        await settle()
        assert not waiting.done()
        watch.speak()
        assert (await waiting)["type"] == "http.disconnect"


async def test_an_error_of_the_server_reaches_the_application():
    async def broken():
        raise OSError("gone")

    with DisconnectWatch(broken, lambda: None) as watch:
        with pytest.raises(OSError, match="gone"):
            await watch.receive()


async def test_nothing_is_left_behind():
    before = asyncio.all_tasks()
    server = Server()
    for _ in range(20):
        with DisconnectWatch(server.receive, lambda: None):
            await asyncio.sleep(0)
    await settle()
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("wrong", [{"mode": "ignore"}, {"seconds": 0}, {"bytes": -1}], ids=str)
def test_wrong_policies_are_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        DisconnectPolicy(**wrong)
