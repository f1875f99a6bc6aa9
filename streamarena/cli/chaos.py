"""`streamarena chaos`: a TCP proxy on loopback that spoils what passes, to see how a client bears it."""

from __future__ import annotations

import asyncio
import signal

import click

from streamarena.cli._listening import cannot_listen
from streamarena.testing.chaos import ChaosProxy
from streamarena.testing.chaos_rules import KINDS

__all__ = ["command"]

_KINDS = "\b\n" + "\n".join(f"{name:<10}{meaning}" for name, (_, meaning) in KINDS.items())

_EPILOG = f"""
A rule is KIND[:NUMBER][,NAME=VALUE...] with the names direction (down, up, both), share (of connections), after
(bytes), from and until (seconds since the start). Example, a server behind a bad line:

\b
streamarena chaos http://127.0.0.1:8008 --rule delay:normal:80ms:20ms --rule cut,after=4000,share=0.1

{_KINDS}

Ctrl-C ends the proxy and prints what it did.
"""


@click.command(epilog=_EPILOG)
@click.argument("target")
@click.option("--rule", "rules", multiple=True, metavar="RULE", help="What to do; may be given several times.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Port; 0 takes a free one.")
@click.option("--seed", default=0, show_default=True, help="Decides which connections are struck, and every draw.")
def command(target: str, rules: tuple[str, ...], host: str, port: int, seed: int) -> None:
    """Put a misbehaving TCP proxy in front of TARGET, a URL or host:port.

    Prints the URL to use instead of TARGET's as the first line. Works on bytes: HTTP, TLS or anything else.
    """
    proxy = ChaosProxy(target, *rules, host=host, port=port, seed=seed)
    try:
        asyncio.run(_serve(proxy))
    except OSError as error:
        cannot_listen(host, port, error)
    counts = ", ".join(f"{kind} {count}" for kind, count in sorted(proxy.context.applied.items()) if count) or "none"
    up, down = proxy.context.bytes["up"], proxy.context.bytes["down"]
    click.echo(f"{proxy.connections} connections, {up} bytes up, {down} bytes down; applied: {counts}")


async def _serve(proxy: ChaosProxy) -> None:
    """Serve until a signal asks for the end."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, done.set)
    async with proxy:
        click.echo(proxy.url)
        await done.wait()
