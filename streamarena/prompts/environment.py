"""environment_details: what the editor knows, appended to each message of the user.

Sections in the order of 7.5 of the reference behaviour. Every value is the caller's: files, terminals, the time as
text, the cost. Nothing is looked up here.

Invariants: lists are cut at the documented limits (200 workspace files, 20 open tabs); a section without anything to
say is left out, except where the reference says that there is nothing.
Cost: linear in what is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from streamarena.prompts.catalog import Generation, PromptCatalog, builtin_catalog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamarena.prompts.modes import Mode

__all__ = [
    "MAX_OPEN_TABS",
    "MAX_WORKSPACE_FILES",
    "ClockReading",
    "Environment",
    "Terminal",
    "Todo",
    "TodoStatus",
    "environment_details",
    "parse_todos",
    "todo_reminder",
]

MAX_WORKSPACE_FILES: Final = 200
MAX_OPEN_TABS: Final = 20

TodoStatus: TypeAlias = Literal["pending", "in_progress", "completed"]
_STATUS_TEXT: Final[dict[TodoStatus, str]] = {
    "pending": "Pending",
    "in_progress": "In Progress",
    "completed": "Completed",
}
_MARKS: Final[dict[str, TodoStatus]] = {
    "[ ]": "pending",
    "[-]": "in_progress",
    "[~]": "in_progress",
    "[x]": "completed",
}


class Todo(msgspec.Struct, frozen=True):
    """One step of the task's list."""

    content: str
    status: TodoStatus = "pending"


class Terminal(msgspec.Struct, frozen=True):
    """A terminal: its commands with their new output; an active one has exactly one."""

    id: int
    cwd: str
    commands: tuple[tuple[str, str], ...] = ()
    active: bool = True


class ClockReading(msgspec.Struct, frozen=True):
    """The time as the caller read it.

    Attributes:
        utc: ISO 8601; zone: IANA name; offset: such as `+2:00`.
    """

    utc: str
    zone: str
    offset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What is known when a message is sent.

    Attributes:
        mode, model: as used; power_steering: also repeat role and instructions (classic experiment).
        visible_files, open_tabs, recently_modified: relative paths.
        terminals: active and inactive ones.
        clock, git_status, cost: None or empty leaves the section out; cost in US dollars.
        workspace: its path; file_list: the formatted list, shown on the first turn only (None leaves it out).
        workspace_is_desktop: then no files are listed; max_workspace_files: 0 switches the list off.
        todos: the task's list; None when the list is switched off.
    """

    mode: Mode
    model: str = ""
    power_steering: bool = False
    visible_files: Sequence[str] = ()
    open_tabs: Sequence[str] = ()
    recently_modified: Sequence[str] = ()
    terminals: Sequence[Terminal] = ()
    clock: ClockReading | None = None
    git_status: str = ""
    cost: float | None = None
    cost_known: bool = True
    workspace: str = "."
    file_list: str | None = None
    workspace_is_desktop: bool = False
    max_workspace_files: int = MAX_WORKSPACE_FILES
    max_open_tabs: int = MAX_OPEN_TABS
    todos: Sequence[Todo] | None = None


def environment_details(
    environment: Environment, generation: Generation = "classic", catalog: PromptCatalog | None = None
) -> str:
    """Return the whole block."""
    writer = _Writer(environment, generation, builtin_catalog() if catalog is None else catalog)
    sections = [
        writer.paths("visible_files", environment.visible_files, environment.max_workspace_files),
        writer.paths("open_tabs", environment.open_tabs, environment.max_open_tabs),
        writer.recently_modified(),
        writer.terminals(active=True),
        writer.terminals(active=False),
        writer.time(),
        writer.git(),
        writer.cost(),
        writer.mode(),
        writer.files(),
        "" if environment.todos is None else todo_reminder(environment.todos, generation, catalog),
    ]
    return writer.text("details", sections="\n\n".join(section for section in sections if section))


def todo_reminder(
    todos: Sequence[Todo], generation: Generation = "classic", catalog: PromptCatalog | None = None
) -> str:
    """Return the table of steps, or the hint to make one."""
    catalog = builtin_catalog() if catalog is None else catalog
    if not todos:
        return catalog.render(catalog.find("environment.todo_none", generation))
    row = catalog.find("environment.todo_row", generation)
    rows = [
        catalog.render(row, number=number, content=_cell(todo.content), status=_STATUS_TEXT[todo.status])
        for number, todo in enumerate(todos, 1)
    ]
    return catalog.render(catalog.find("environment.todo_table", generation), rows="\n".join(rows))


def parse_todos(text: str) -> list[Todo]:
    """Read a checklist of one level, with or without list hyphens; lines that are no steps are skipped."""
    found: list[Todo] = []
    for line in text.splitlines():
        step = line.strip().removeprefix("- ").lstrip()
        status = _MARKS.get(step[:3].lower())
        if status is not None and step[3:].strip():
            found.append(Todo(step[3:].strip(), status))
    return found


class _Writer(msgspec.Struct, frozen=True):
    """Renders one section a method; an empty string leaves it out."""

    environment: Environment
    generation: Generation
    catalog: PromptCatalog

    def text(self, name: str, /, **values: str | int | bool) -> str:
        """Render one text of the area `environment`."""
        return self.catalog.render(self.catalog.find(f"environment.{name}", self.generation), **values)

    def paths(self, name: str, paths: Sequence[str], limit: int) -> str:
        """Visible files and open tabs; classic says so when there are none."""
        if not paths and self.generation != "classic":
            return ""
        return self.text(name, files="\n".join(paths[:limit]) or self.text(f"no_{name}"))

    def recently_modified(self) -> str:
        """Files that changed since the model read them."""
        paths = self.environment.recently_modified
        return self.text("recently_modified", files="\n".join(paths)) if paths else ""

    def terminals(self, *, active: bool) -> str:
        """Terminals with their commands and new output."""
        chosen = [terminal for terminal in self.environment.terminals if terminal.active is active]
        if not chosen:
            return ""
        if active:
            texts = [
                self.text("active_terminal", id=terminal.id, cwd=terminal.cwd, command=command, output=output)
                for terminal in chosen
                for command, output in terminal.commands or (("", ""),)
            ]
            return self.text("active_terminals", terminals="\n".join(texts))
        texts = [
            self.text(
                "inactive_terminal",
                id=terminal.id,
                cwd=terminal.cwd,
                commands="\n".join(
                    self.text("terminal_command", command=command, output=output)
                    for command, output in terminal.commands
                ),
            )
            for terminal in chosen
        ]
        return self.text("inactive_terminals", terminals="\n".join(texts))

    def time(self) -> str:
        """The caller's clock."""
        clock = self.environment.clock
        return self.text("time", utc=clock.utc, zone=clock.zone, offset=clock.offset) if clock else ""

    def git(self) -> str:
        """Status of the repository (native)."""
        status = self.environment.git_status.strip()
        return self.text("git", status=status) if status and self.generation == "native" else ""

    def cost(self) -> str:
        """What the task has cost so far."""
        environment = self.environment
        if environment.cost is not None:
            return self.text("cost", cost=f"${environment.cost:.2f}")
        return "" if environment.cost_known else self.text("cost", cost=self.text("cost_unknown"))

    def mode(self) -> str:
        """The current mode and model."""
        mode = self.environment.mode
        return self.text(
            "mode",
            slug=mode.slug,
            name=mode.name,
            model=self.environment.model,
            power_steering=self.environment.power_steering and self.generation == "classic",
            role=mode.role,
            instructions=mode.instructions,
        )

    def files(self) -> str:
        """The list of workspace files, on the first turn."""
        environment = self.environment
        if environment.file_list is None:
            return ""
        shown = environment.file_list
        if environment.workspace_is_desktop:
            shown = self.text("files_desktop")
        elif environment.max_workspace_files == 0:
            shown = self.text("files_off")
        return self.text("files", workspace=environment.workspace, files=shown)


def _cell(content: str) -> str:
    return " ".join(content.replace("\\", "\\\\").replace("|", "\\|").split())
