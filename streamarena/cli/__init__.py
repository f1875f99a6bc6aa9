"""The command line (floor 4): `streamarena COMMAND`, also `python -m streamarena`.

One file a command, each with a click command named `command`; nothing of a command is imported before it runs, so
`--help` is quick. Exit codes: 0 done; 1 the job ran and its outcome is bad; 2 wrong usage or configuration;
130 interrupted.
"""

from __future__ import annotations

import sys

from streamarena.errors import MissingExtraError

__all__ = ["main"]


def main() -> None:
    """Run the command line; without click, say which extra brings it."""
    try:
        from streamarena.cli.main import group
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.stderr.write(f"{MissingExtraError(error.name, 'cli', 'the streamarena command')}\n")
        raise SystemExit(2) from None
    group(prog_name="streamarena")
