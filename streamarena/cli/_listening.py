"""What every command says that cannot listen where it was told to."""

from __future__ import annotations

import os
from typing import NoReturn

import click

__all__ = ["cannot_listen"]


def cannot_listen(host: str, port: int, error: OSError) -> NoReturn:
    """Say so on standard error, and end with exit code 1."""
    # The system's own words: those of the event loops name the address again, each in its own way.
    reason = os.strerror(error.errno) if error.errno else str(error)
    click.echo(f"cannot listen on {host}:{port}: {reason}; choose another address with --host and --port", err=True)
    raise SystemExit(1) from error
