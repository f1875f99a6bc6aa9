"""Where packs are looked for: folders of the user and of a project, by layer.

    <config>/prompts/imported/NAME/    what `streamarena prompts import` made
    <config>/prompts/user/NAME/        the user's own packs
    <workspace>/.streamarena/prompts/  the project's pack, or folders that are packs

`<config>` is handed in (the command line takes `$XDG_CONFIG_HOME/streamarena`, else `~/.config/streamarena`).
Invariants: only directories that hold a `pack.toml` count; within a layer they come in the order of their names, a
later one winning over an earlier one; nothing is read here. A library never looks for packs by itself: callers decide.
Cost: one listing a folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from streamarena.prompts.catalog import PromptCatalog
from streamarena.prompts.pack import MANIFEST

__all__ = ["PROJECT_FOLDER", "PackFolders", "find_packs"]

PROJECT_FOLDER: Final = ".streamarena/prompts"


class PackFolders:
    """The packs found, by layer; `catalog()` puts them over our own texts."""

    __slots__ = ("imported", "project", "user")

    def __init__(self, imported: list[Path], user: list[Path], project: list[Path]) -> None:
        self.imported = imported
        self.user = user
        self.project = project

    def catalog(self) -> PromptCatalog:
        """Return a catalogue of all layers.

        Raises:
            PackError: one of the packs cannot be used.
        """
        return PromptCatalog(imported=self.imported, user=self.user, project=self.project)


def find_packs(config: Path | None = None, workspace: Path | None = None) -> PackFolders:
    """Find the packs of a user and a project; None leaves a place out."""
    prompts = None if config is None else config / "prompts"
    project = None if workspace is None else workspace / PROJECT_FOLDER
    return PackFolders(
        _packs(prompts / "imported") if prompts else [],
        _packs(prompts / "user") if prompts else [],
        _packs(project) if project else [],
    )


def _packs(folder: Path) -> list[Path]:
    if (folder / MANIFEST).is_file():
        return [folder]
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if (path / MANIFEST).is_file())
