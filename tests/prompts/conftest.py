"""Packs made on the spot."""

from __future__ import annotations

from pathlib import Path

import pytest


def make_pack(root: Path, texts: dict[str, str], *, name: str = "made", kind: str = "section", extra: str = "") -> Path:
    """Write a pack whose manifest declares what its texts use, then `extra`."""
    from streamarena.prompts.packwriter import entry_for, write_manifest, write_text

    entries = [entry_for(root, key, kind, text) for key, text in texts.items()]
    for entry in entries:
        write_text(root, entry, texts[entry.key])
    write_manifest(root, {"name": name, "version": "1"}, entries)
    if extra:
        with (root / "pack.toml").open("a") as file:
            file.write(extra)
    return root


@pytest.fixture
def pack_of(tmp_path):
    """A function that makes a pack of texts in a folder of its own."""

    def make(texts: dict[str, str], name: str = "made", **options: str) -> Path:
        return make_pack(tmp_path / name, texts, name=name, **options)

    return make
