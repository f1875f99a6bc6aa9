"""Measure the success criteria and print them as a table: criterion, target, measured, how, verdict.

python -m perf.criteria [--quick] [--save-baseline] [--only NAME ...] [--hours H] [--list]

Every group of rows runs in a fresh process, so that none disturbs another. A missed target is printed as missed, a
measurement that failed as failed, and the 24-hour row as `not run` until `--hours 24` has been run; its result is kept
in perf/criteria/long.json. Everything else goes to perf/criteria/latest.json; a full run with `--save-baseline` is also
kept in perf/baseline/criteria.json, with the machine, how busy it was, and the seconds that each group took.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from perf.criteria.criterion import Criterion, Options, criteria_from_json, print_table
from perf.criteria.groups import GROUPS, run_group
from perf.measure import machine

HERE = Path(__file__).parent
LATEST = HERE / "latest.json"
BASELINE = HERE.parent / "baseline" / "criteria.json"
TIMEOUT = 1200.0  # seconds for one group; the soak of a million requests takes the longest


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m perf.criteria", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(GROUPS), help="measure these groups of rows only")
    parser.add_argument("--quick", action="store_true", help="smaller counts: minutes become seconds")
    parser.add_argument(
        "--hours", type=float, default=0.0, help="run the long soak for so many hours, and nothing else"
    )
    parser.add_argument("--save-baseline", action="store_true", help="also keep a full run in perf/baseline/")
    parser.add_argument("--list", action="store_true", help="list the groups")
    parser.add_argument("--group", choices=list(GROUPS), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.save_baseline and (chosen.quick or chosen.only or chosen.hours):
        parser.error("a baseline is a full run: --save-baseline goes without --quick, --only and --hours")
    if chosen.list:
        for name, about in GROUPS.items():
            print(f"{name:12} {about}")
        return 0
    options = Options(quick=chosen.quick, hours=chosen.hours)
    if chosen.group:
        print(json.dumps([row.as_dict() for row in run_group(chosen.group, options)]))
        return 0
    names = ["soak"] if chosen.hours else chosen.only or list(GROUPS)
    rows: list[Criterion] = []
    seconds: dict[str, float] = {}
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    for name in names:
        print(f"measuring {name}: {GROUPS[name]} ...", file=sys.stderr, flush=True)
        start = time.monotonic()
        rows += _measure(name, options)
        seconds[name] = round(time.monotonic() - start, 1)
    print_table(rows)
    print(f"measured in {sum(seconds.values()) / 60:.1f} minutes", file=sys.stderr)
    if not chosen.only and not chosen.hours:
        content = {
            "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "quick": options.quick,
            "machine": machine(),
            "load_average_before": busy,
            "seconds": seconds,
            "criteria": [row.as_dict() for row in rows],
        }
        for path in (LATEST, BASELINE) if chosen.save_baseline else (LATEST,):
            path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
            print(f"written to {path.relative_to(HERE.parents[1])}", file=sys.stderr)
    return 1 if any(row.verdict == "failed" for row in rows) else 0


def _measure(name: str, options: Options) -> list[Criterion]:
    command = [sys.executable, "-m", "perf.criteria", "--group", name, "--hours", str(options.hours)]
    if options.quick:
        command.append("--quick")
    limit = None if options.hours else TIMEOUT
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=limit, check=True)
        return criteria_from_json(json.loads(done.stdout.splitlines()[-1]))
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        return [Criterion(name, GROUPS[name], str(error), "the measurement itself failed", "failed")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
