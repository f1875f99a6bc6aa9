"""`streamarena profile -- PROGRAM`: run a Python program and watch its memory, live, with a report at the end.

The program runs in a child process under `_profiled.py`, which samples its default manager in a thread and writes one
JSON line for each snapshot to a pipe. The program's own output goes where it would have gone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from streamarena.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

__all__ = ["command"]


@click.command()
@click.option(
    "--interval", default=0.5, show_default=True, type=click.FloatRange(min=0.01), help="Seconds between snapshots."
)
@click.option("--json", "json_path", type=click.Path(dir_okay=False), help="Write the report to this file as JSON.")
@click.option("--picture", type=click.Path(dir_okay=False), help="Draw every source to this PNG or SVG file.")
@click.option("--live/--no-live", default=None, help="Live view on standard error; by default on a terminal.")
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
def command(
    interval: float, json_path: str | None, picture: str | None, live: bool | None, program: tuple[str, ...]
) -> None:
    """Run a Python PROGRAM that uses streamarena, and watch its memory.

    PROGRAM is a script, an installed Python command, or -m and a module, each with its own arguments; the name of a
    Python interpreter may stand before it. Put -- before it if it has options:

        streamarena profile -- script.py --its-option

    The report goes to standard error. The exit code is the program's.
    """
    target = _target(list(program))
    show = sys.stderr.isatty() if live is None else live
    reading, writing = os.pipe()
    runner = [sys.executable, "-m", "streamarena.cli._profiled", str(writing), str(interval), picture or "", *target]
    with (
        subprocess.Popen(runner, pass_fds=(writing,)) as child,  # noqa: S603 - the user's own program
        open(reading, encoding="utf-8") as lines,  # noqa: PTH123 - a descriptor
    ):
        os.close(writing)
        report = _follow(lines, " ".join(target), show=show)
        try:
            code = child.wait()
        except KeyboardInterrupt:  # the child got it too, and ends as it likes
            code = child.wait()
    if report is not None:
        click.echo(report["text"], err=True)
        if json_path is not None:
            Path(json_path).write_text(report["json"] + "\n", "utf-8")
    sys.exit(code if code >= 0 else 128 - code)


def _target(program: list[str]) -> list[str]:
    """Return the program without an interpreter before it, and a command by its file.

    Raises:
        ConfigurationError: it is no Python program, or this platform cannot hand a pipe to a child.
    """
    if sys.platform == "win32":
        raise ConfigurationError("streamarena profile needs a platform whose child processes inherit pipes")
    if Path(program[0]).name.startswith("python"):
        program = program[1:]
    if not program or (program[0] == "-m" and len(program) == 1):
        raise ConfigurationError("streamarena profile needs a script, a command, or -m and a module")
    if program[0] == "-m" or program[0].endswith(".py"):
        return program
    found = program[0] if Path(program[0]).is_file() else shutil.which(program[0])
    if found is None or b"python" not in Path(found).read_bytes()[:200].splitlines()[0]:
        raise ConfigurationError(f"{program[0]!r} is no Python script or command")
    return [found, *program[1:]]


def _follow(lines: IO[str], title: str, *, show: bool) -> dict[str, str] | None:
    """Read the child's lines until it ends, and return its report; None if it was killed before it could write one."""
    if not show:
        return _report_of(_decoded(lines))
    from rich.console import Console
    from rich.live import Live

    history: deque[dict[str, int]] = deque(maxlen=60)
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        for line in _decoded(lines):
            if "report" in line:
                return _report_of(iter([line]))
            history.append(line["values"])
            live.update(_table(title, line["seconds"], history), refresh=True)
    return None


def _decoded(lines: IO[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.endswith("\n"):  # a killed child may leave half a line
            yield json.loads(line)


def _report_of(lines: Iterator[dict[str, Any]]) -> dict[str, str] | None:
    return next((line["report"] for line in lines if "report" in line), None)


def _table(title: str, seconds: float, history: deque[dict[str, int]]) -> Table:
    from rich.table import Table

    from streamarena.memory.profiling import spark_line

    table = Table(title=f"{title} - {seconds:.1f} s", title_justify="left", expand=False)
    for heading in ("source", "now", "peak", "course"):
        table.add_column(heading, justify="left" if heading in {"source", "course"} else "right")
    for name, now in history[-1].items():
        values = [each[name] for each in history]
        table.add_row(name, f"{now:,}", f"{max(values):,}", spark_line(values, 40))
    return table
