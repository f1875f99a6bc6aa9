"""The command group: a table of names and one-line helps, each command's module imported only when it is asked for."""

from __future__ import annotations

import importlib
from typing import Final

import click

from streamarena.errors import StreamArenaError

__all__ = ["COMMANDS", "group"]

COMMANDS: Final[dict[str, str]] = {
    "demo": "Run hundreds of streams against an embedded fake model server.",
    "chat": "Ask a model one question and print the answer as it streams.",
    "load": "Load-test a model server and say how far the figures can be trusted.",
    "serve": "Relay model requests: watch, limit, route and translate them.",
    "doctor": "Say which implementations are active and what is installed.",
    "decode": "Print a recorded stream as events, chunks or its final message.",
    "fake-llm": "Serve a fake model on loopback, with delays and faults.",
    "profile": "Run a Python program and watch its memory.",
    "context": "Count, trim and explain conversations; models and vocabularies.",
    "prompts": "Look at the prompt catalogue, render prompts, check and import packs.",
    "chaos": "Put a misbehaving TCP proxy in front of a server.",
}


class _LazyGroup(click.Group):
    """A group whose commands live in `streamarena.cli.<name>` and are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; None where there is no such name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"streamarena.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; our own errors end it with their message and exit code 2."""
        try:
            return super().invoke(ctx)
        except StreamArenaError as error:
            raise click.UsageError(str(error)) from error


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="streamarena")
def group() -> None:
    """LLM token streams in asyncio: a request is a scope, and bytes are borrowed."""
