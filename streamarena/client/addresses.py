"""Connecting to whichever address of a name answers first: attempts staggered, address families in turn.

Invariants: one attempt more is begun when `delay` passed or the one before it failed; the first that connects wins, and
every other socket is closed when it does, on failure and on cancellation alike. An attempt that never came to run has
no socket yet, so there is none to forget (asyncio's own `happy_eyeballs_delay` leaves one behind on 3.11 when it is
cancelled in the wrong moment, and uvloop has no such option).
Cost: nothing for an address or a name with a single one.
Source: RFC 8305, sections 4 (order) and 5 (staggering; 250 ms between attempts).
"""

from __future__ import annotations

import asyncio
import os
import socket
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Address", "addresses_of", "connect_first"]

Address: TypeAlias = tuple[int, int, int, str, Any]
"""As `getaddrinfo` returns it: family, type, protocol, canonical name, what `connect` takes."""


async def addresses_of(host: str, port: int) -> list[Address]:
    """Look a name up; families take turns, beginning with that which the system puts first.

    Raises:
        OSError: the name is not known.
    """
    found: Sequence[Address] = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    families: dict[int, list[Address]] = {}
    for address in found:
        families.setdefault(address[0], []).append(address)
    return [address for address in chain(*zip_longest(*families.values())) if address is not None]


async def connect_first(addresses: Sequence[Address], delay: float) -> socket.socket:
    """Return a connected socket that does not block.

    Args:
        addresses: in the order in which they are tried; at least one.
        delay: seconds after which the next is tried beside those before it.

    Raises:
        OSError: none answered; it says what each did.

    Cancellation closes every socket.
    """
    race = _Race()
    try:
        for address in addresses:
            race.begin(address)
            if await race.decided(delay):
                break
        while not race.connected and race.running:
            await race.decided(None)
        if race.connected:
            return race.connected.pop(0)
        raise _joined(race.errors)
    finally:
        race.close()


class _Race:
    """Attempts under way. `connected` are sockets that nobody has taken yet."""

    def __init__(self) -> None:
        self.connected: list[socket.socket] = []
        self.errors: list[tuple[Address, OSError]] = []
        self.running: set[asyncio.Task[None]] = set()

    def begin(self, address: Address) -> None:
        """Begin an attempt."""
        self.running.add(asyncio.get_running_loop().create_task(self._attempt(address)))

    async def decided(self, seconds: float | None) -> bool:
        """Wait until an attempt has ended, or for so long; return whether one is connected."""
        done, self.running = await asyncio.wait(self.running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # what is no OSError is a defect, and not silent
        return bool(self.connected)

    def close(self) -> None:
        """End every attempt and close what nobody took. Synchronous."""
        for task in self.running:
            task.cancel()
        for made in self.connected:
            made.close()
        self.connected.clear()

    async def _attempt(self, address: Address) -> None:
        family, kind, protocol, _, target = address
        made = socket.socket(family, kind, protocol)
        try:
            made.setblocking(False)
            await asyncio.get_running_loop().sock_connect(made, target)
        except BaseException as error:
            made.close()
            if not isinstance(error, OSError):
                raise
            self.errors.append((address, error))
        else:
            self.connected.append(made)


def _joined(errors: Sequence[tuple[Address, OSError]]) -> OSError:
    """Return one error for all."""
    said = [f"{address[4][0]}: {os.strerror(error.errno) if error.errno else error}" for address, error in errors]
    return OSError(errors[0][1].errno, "; ".join(said))
