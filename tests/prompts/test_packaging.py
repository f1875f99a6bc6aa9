"""What is installed holds every text: the patterns of package-data are asked, as a build does."""

from __future__ import annotations

import tomllib
from pathlib import Path

from streamarena.prompts import builtin_catalog

ROOT = Path(__file__).parents[2]


def test_every_builtin_text_is_package_data():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    patterns = config["tool"]["setuptools"]["package-data"]["streamarena"]
    package = ROOT / "streamarena"
    packaged = {path.relative_to(package).as_posix() for pattern in patterns for path in package.glob(pattern)}
    pack = dict(builtin_catalog().packs)["builtin"]
    wanted = {f"prompts/packs/builtin/{name}" for name in ["pack.toml", *(e.file for e in pack.entries.values())]}
    assert len(wanted) > 50
    assert not wanted - packaged


def test_no_text_lies_about_that_no_entry_names():
    pack = dict(builtin_catalog().packs)["builtin"]
    listed = {"pack.toml", *(entry.file for entry in pack.entries.values())}
    there = {path.relative_to(pack.root).as_posix() for path in pack.root.rglob("*") if path.is_file()}
    assert there == listed
