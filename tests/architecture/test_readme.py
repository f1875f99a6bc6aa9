"""What README shows is what happens: its Python blocks run, its commands and links exist."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from streamarena.cli.main import COMMANDS
from tests.architecture.tree import ROOT

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_there_are_three_examples_of_about_fifteen_lines():
    assert len(BLOCKS) >= 3
    assert all(block.count("\n") <= 16 for block in BLOCKS)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: str(BLOCKS.index(block) + 1))
def test_an_example_runs(block, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_commands_it_names_exist():
    shells = "".join(re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
    named = set(re.findall(r"^streamarena ([a-z-]+)", shells, re.MULTILINE))
    assert named
    assert named <= set(COMMANDS)


def test_the_targets_it_names_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in re.findall(r"\bmake ([a-z-]+)", README))


@pytest.mark.parametrize(
    "page", ["README.md", "ARCHITECTURE.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert ((ROOT / page).parent / target).exists(), target
