"""The prompt catalogue: every key of the inventory, what it keeps resident, rendering times, sizes of tools."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from perf.criteria.criterion import Criterion, Options, verdict
from perf.micro.prompts import TARGETS
from perf.micro.prompts import measure as figures_of

ROOT = Path(__file__).parents[3]
INVENTORY = "tests/prompts/test_inventory.py"
NAMES = {
    "resident_bytes": "prompts: catalogue resident",
    "before_use_bytes": "prompts: before first use",
    "shared_bytes": "prompts: 1,000 more requests",
    "cold_seconds": "prompts: cold rendering",
    "warm_seconds": "prompts: warm rendering",
    "tools_bytes": "prompts: all tool definitions",
}


def measure(options: Options) -> list[Criterion]:
    figures = figures_of(options.count(9, 3))
    rows = [_inventory()]
    for name, (target, about) in TARGETS.items():
        value = figures[name]
        rows.append(
            Criterion(
                NAMES[name],
                f"<= {_shown(name, target)}",
                _shown(name, value),
                about,
                verdict(value <= target),
                {name: value},
            )
        )
    return rows


def _shown(name: str, value: float) -> str:
    return f"{value * 1e6:,.1f} us" if name.endswith("seconds") else f"{value / 1e3:,.1f} kB"


def _inventory() -> Criterion:
    name, target = "prompts: every prompt of the inventory", "no key is missing"
    how = f"{INVENTORY}, written out from the specification"
    if not (ROOT / INVENTORY).is_file():
        return Criterion(name, target, "the tests are not here", how, "not run")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", INVENTORY],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"together\s+(\d+) of (\d+)", done.stdout)
    measured = f"{found[1]} keys asked for and there, {found[2]} entries in all" if found else "keys are missing"
    return Criterion(name, target, measured, how, verdict(done.returncode == 0 and found is not None))
