"""The layers of custom instructions that a user and a project have written down, read from their files.

In order (section 7.4 of the reference behaviour): language; global instructions; the mode's own instructions (from the
mode); then the block of rules: for the mode, the ignore file, AGENTS.md, and general rules.

Invariants:
* Reading is separate from assembling: `read_instructions` touches files, `InstructionLayers` is a frozen value.
* Only regular UTF-8 files inside the workspace, the assistant's folder in the home directory, and roots that the caller
  adds are read (`safe_files.py`); directories are followed to a depth of 5, links for 5 steps, and no directory twice.
* Files of a directory come sorted by their lower-cased base name; patterns in `EXCLUDED` and binary files are skipped.
* Every limit has a name and is met with an error; nothing is cut silently.

Cost: one scan of each rules directory and one read a file; nothing is kept between calls.
Not here: wording (`common.fragment.*` in the pack), custom modes (`custom_modes.py`).
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from streamarena.errors import PackError, PromptError, PromptTooLargeError
from streamarena.prompts.safe_files import MAX_FILE_BYTES, read_safely, resolve_safely

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from streamarena.prompts.catalog import Generation

__all__ = [
    "EXCLUDED",
    "InstructionLayers",
    "LAYOUTS",
    "Layout",
    "MAX_DEPTH",
    "MAX_RULE_FILES",
    "MAX_TOTAL_BYTES",
    "RuleBlock",
    "RuleKind",
    "read_file_override",
    "read_instructions",
]

RuleKind: TypeAlias = Literal["mode", "ignore", "agents", "global", "local", "general"]

MAX_DEPTH: Final = 5  # directories below a rules directory, or below the workspace for AGENTS.md
MAX_RULE_FILES: Final = 500
MAX_TOTAL_BYTES: Final = 2**20

EXCLUDED: Final = (
    *("*.DS_Store", "*.bak", "*.cache", "*.crdownload", "*.db", "*.dmp", "*.dump", "*.eslintcache", "*.lock", "*.log"),
    *("*.old", "*.part", "*.partial", "*.pyc", "*.pyo", "*.stackdump", "*.swo", "*.swp", "*.temp", "*.tmp"),
    "Thumbs.db",
)
_NOT_SEARCHED: Final = frozenset({"node_modules", "__pycache__", "venv", "dist", "build", "target"})


class RuleBlock(msgspec.Struct, frozen=True):
    """One piece of the block of rules.

    Attributes:
        kind: which layer it belongs to, which decides its heading.
        path: how the file is shown to the model; text: its content, trimmed.
    """

    kind: RuleKind
    path: str
    text: str


class InstructionLayers(msgspec.Struct, frozen=True):
    """What a user and a project have written down, ready for `PromptSettings`.

    Attributes:
        language: its name, such as "English"; language_code: such as "en". Without a name the layer is left out.
        global_instructions: for every mode; rules: in the order they shall have.
    """

    language: str = ""
    language_code: str = ""
    global_instructions: str = ""
    rules: tuple[RuleBlock, ...] = ()


class Layout(msgspec.Struct, frozen=True):
    """Where an assistant keeps its files.

    Attributes:
        directory: its folder in a workspace and in the home directory.
        mode_files: older single files for a mode, tried in order; `{mode}` stands for the slug.
        general_files: older single files for all modes, likewise; ignore_file: what the model must not touch.
        modes_file: custom modes of a project.
    """

    directory: str
    mode_files: tuple[str, ...]
    general_files: tuple[str, ...]
    ignore_file: str
    modes_file: str


LAYOUTS: Final[dict[Generation, Layout]] = {
    "classic": Layout(
        directory=".kilocode",
        mode_files=(".kilocoderules-{mode}",),
        general_files=(".kilocoderules", ".roorules", ".clinerules"),
        ignore_file=".kilocodeignore",
        modes_file=".kilocodemodes",
    ),
    "native": Layout(
        directory=".roo",
        mode_files=(".roorules-{mode}", ".clinerules-{mode}"),
        general_files=(".roorules", ".clinerules"),
        ignore_file=".rooignore",
        modes_file=".roomodes",
    ),
}


def read_instructions(
    workspace: Path,
    mode: str,
    generation: Generation,
    *,
    home: Path | None = None,
    language: str = "",
    language_code: str = "",
    global_instructions: str = "",
    use_agents: bool = True,
    subfolders: bool = False,
    toggles: Mapping[str, bool] | None = None,
    extra_roots: Sequence[Path] = (),
    layout: Layout | None = None,
    on_problem: Callable[[PromptError], None] | None = None,
    max_file_bytes: int = MAX_FILE_BYTES,
    max_total_bytes: int = MAX_TOTAL_BYTES,
) -> InstructionLayers:
    """Read every layer that lies in files.

    Args:
        workspace: the project.
        mode: slug of the current mode.
        generation: decides names and extent.
        home: the user's home directory, or None to read nothing there.
        language: handed through, such as "English".
        language_code: handed through, such as "en".
        global_instructions: handed through, trimmed.
        use_agents: whether AGENTS.md (else AGENT.md) is read; native also reads AGENTS.local.md beside it.
        subfolders: whether AGENTS.md of sub-folders is read too (native).
        toggles: Kilo's switches by path as shown; when given, general rules come under two headings, and files that are
            switched off are left out.
        extra_roots: further directories that links may lead to.
        layout: other names than the generation's.
        on_problem: called with each problem, whose file is then left out; None raises the first one.
        max_file_bytes: of one file (default 256 KiB).
        max_total_bytes: of all together (default 1 MiB).

    Raises:
        PromptError: one of `UnsafePathError`, `PromptTooLargeError`, `PackError`, if `on_problem` is None.
    """
    _check_slug(mode)
    names = layout or LAYOUTS[generation]
    reader = _Reader(
        workspace=workspace,
        home=home,
        layout=names,
        extra_roots=tuple(extra_roots),
        on_problem=on_problem,
        max_file_bytes=max_file_bytes,
        max_total_bytes=max_total_bytes,
    )
    rules = [*reader.mode_rules(mode), *reader.ignore_rules()]
    if use_agents:
        rules += reader.agents_rules(local=generation == "native", subfolders=subfolders and generation == "native")
    rules += reader.general_rules(toggles)
    return InstructionLayers(language, language_code, global_instructions.strip(), tuple(rules))


def read_file_override(
    workspace: Path, mode: str, *, layout: Layout | None = None, max_file_bytes: int = MAX_FILE_BYTES
) -> str:
    """Return the trimmed content of `<workspace>/.kilocode/system-prompt-<mode>`, or "" (classic only).

    Raises:
        PromptError: the file is unsafe, too large or not UTF-8, or the slug is no file name.
    """
    _check_slug(mode)
    directory = (layout or LAYOUTS["classic"]).directory
    path = workspace / directory / f"system-prompt-{mode}"
    return (read_safely(path, (workspace,), limit=max_file_bytes) or "").strip()


def _check_slug(mode: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", mode):  # it becomes part of file names
        raise PackError(repr(mode), 0, "is no slug of a mode: letters, digits, '_' and '-'")


class _Reader:
    """One reading of all layers: roots, limits and what was used of them."""

    def __init__(
        self,
        *,
        workspace: Path,
        home: Path | None,
        layout: Layout,
        extra_roots: tuple[Path, ...],
        on_problem: Callable[[PromptError], None] | None,
        max_file_bytes: int,
        max_total_bytes: int,
    ) -> None:
        self._workspace = workspace
        self._home = home
        self._layout = layout
        self._on_problem = on_problem
        self._max_file_bytes = max_file_bytes
        self._max_total_bytes = max_total_bytes
        self._total = 0
        home_roots = () if home is None else (home / layout.directory,)
        self._roots = (workspace, *home_roots, *extra_roots)
        self._homes = [root for root in (home, workspace) if root is not None]

    def mode_rules(self, mode: str) -> list[RuleBlock]:
        """Directories for the mode, global first; else the first older file that says something."""
        found = [block for root in self._homes for block in self._directory(root, f"rules-{mode}", "mode")]
        return found or self._first([name.format(mode=mode) for name in self._layout.mode_files], "mode")

    def ignore_rules(self) -> list[RuleBlock]:
        """The ignore file of the workspace."""
        return self._first([self._layout.ignore_file], "ignore")

    def agents_rules(self, *, local: bool, subfolders: bool) -> list[RuleBlock]:
        """AGENTS.md, else AGENT.md, and perhaps AGENTS.local.md, of the workspace and perhaps of its sub-folders."""
        folders = [self._workspace, *(self._subfolders() if subfolders else ())]
        found: list[RuleBlock] = []
        for folder in folders:
            found += self._first(["AGENTS.md", "AGENT.md"], "agents", folder)
            if local:
                found += self._first(["AGENTS.local.md"], "agents", folder)
        return found

    def general_rules(self, toggles: Mapping[str, bool] | None) -> list[RuleBlock]:
        """Directories for all modes, global first; else, without toggles, the first older file."""
        if toggles is not None:
            kinds: tuple[tuple[Path | None, RuleKind], ...] = ((self._home, "global"), (self._workspace, "local"))
            blocks = [block for root, kind in kinds if root for block in self._directory(root, "rules", kind)]
            return [block for block in blocks if toggles.get(block.path, True)]
        found = [block for root in self._homes for block in self._directory(root, "rules", "general")]
        return found or self._first(self._layout.general_files, "general")

    # ------------------------------------------------------------ files

    def _first(self, names: Sequence[str], kind: RuleKind, folder: Path | None = None) -> list[RuleBlock]:
        for name in names:
            block = self._block((folder or self._workspace) / name, kind)
            if block is not None:
                return [block]
        return []

    def _directory(self, root: Path, name: str, kind: RuleKind) -> list[RuleBlock]:
        top = root / self._layout.directory / name
        files = sorted(self._files(top, 0, set()), key=lambda path: path.name.lower())
        if len(files) > MAX_RULE_FILES:
            self._problem(PackError(str(top), 0, f"{len(files)} files; the limit MAX_RULE_FILES is {MAX_RULE_FILES}"))
            files = files[:MAX_RULE_FILES]
        blocks = (self._block(path, kind) for path in files)
        return [block for block in blocks if block is not None]

    def _files(self, directory: Path, depth: int, seen: set[Path]) -> Iterator[Path]:
        try:
            real = resolve_safely(directory, self._roots)
            if real is None or real in seen or depth > MAX_DEPTH or not real.is_dir():
                return
            seen.add(real)
            with os.scandir(real) as entries:
                names = sorted(entry.name for entry in entries)
        except PromptError as error:
            self._problem(error)
            return
        except OSError as error:
            self._problem(PackError(str(directory), 0, f"cannot be listed: {error.strerror}"))
            return
        for name in names:
            path = directory / name
            if path.is_dir():
                yield from self._files(path, depth + 1, seen)
            elif not any(fnmatchcase(name, pattern) for pattern in EXCLUDED):
                yield path

    def _subfolders(self) -> Iterator[Path]:
        for folder, names, _ in os.walk(self._workspace):
            depth = len(Path(folder).relative_to(self._workspace).parts)
            names[:] = sorted(
                n for n in names if depth < MAX_DEPTH and not n.startswith(".") and n not in _NOT_SEARCHED
            )
            if depth:
                yield Path(folder)

    def _block(self, path: Path, kind: RuleKind) -> RuleBlock | None:
        try:
            text = read_safely(path, self._roots, limit=self._max_file_bytes)
            if text is None or not (text := text.strip()):
                return None
            self._total += len(text.encode())
            if self._total > self._max_total_bytes:
                raise PromptTooLargeError(str(path), self._max_total_bytes, self._total, "max_total_bytes")
        except PromptError as error:
            self._problem(error)
            return None
        return RuleBlock(kind, self._shown(path), text)

    def _shown(self, path: Path) -> str:
        if path.is_relative_to(self._workspace):
            return path.relative_to(self._workspace).as_posix()
        if self._home is not None and path.is_relative_to(self._home):
            return f"~/{path.relative_to(self._home).as_posix()}"
        return path.as_posix()

    def _problem(self, error: PromptError) -> None:
        if self._on_problem is None:
            raise error
        self._on_problem(error)
