"""`streamarena prompts`: look at the prompt catalogue, render prompts, check packs, import a checkout."""

from __future__ import annotations

import difflib
import functools
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click
import msgspec

from streamarena.prompts import (
    Generation,
    PromptCatalog,
    PromptSettings,
    ToolDefinition,
    ToolFormat,
    all_modes,
    format_tools,
    prompt_sections,
    server_tools,
    settings_mode,
    system_prompt,
    tool_definitions,
)

if TYPE_CHECKING:
    from streamarena.prompts.importing import ImportReport

__all__ = ["SWITCHES", "TOOL_FORMATS", "command"]

TOOL_FORMATS: Final = ("openai-chat", "openai-responses", "anthropic", "gemini")

# Settings that --with and --without name; what each adds is shown by `stats`.
SWITCHES: Final[dict[str, str]] = {
    "browser": "the browser tool",
    "index": "search by meaning",
    "diff": "edits by diff",
    "multi-file-diff": "diffs over several files",
    "fast-apply": "edits by a merging model",
    "partial-reads": "reading by line ranges",
    "todo-list": "the list of steps",
    "new-task-requires-todos": "steps for new tasks",
    "image-generation": "the image tool",
    "run-slash-command": "slash commands as a tool",
    "servers": "a tool server (an example)",
    "skills": "a skill (an example; native)",
    "stealth": "silence about the vendor (native)",
}


def _config() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "streamarena"


def _catalog_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that choose the layers; the function gets the catalogue as `catalog`."""

    @functools.wraps(function)
    def with_catalog(*, packs: tuple[Path, ...], builtin_only: bool, **rest: object) -> None:
        from streamarena.prompts.layers import find_packs

        if builtin_only:
            return function(catalog=PromptCatalog(), **rest)
        found = find_packs(_config(), Path.cwd())
        project = [*found.project, *packs]
        return function(catalog=PromptCatalog(imported=found.imported, user=found.user, project=project), **rest)

    folder = click.Path(exists=True, file_okay=False, path_type=Path)
    pack = click.option("--pack", "packs", multiple=True, type=folder, help="A pack on top of all others; repeatable.")
    only = click.option("--builtin-only", is_flag=True, help="Leave out packs of the user and the project.")
    return pack(only(with_catalog))


def _settings_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that make up `PromptSettings`; the function gets them as `settings`."""

    @functools.wraps(function)
    def with_settings(
        *,
        mode: str,
        generation: Generation,
        workspace: str,
        model: str,
        on: tuple[str, ...],
        off: tuple[str, ...],
        **rest: object,
    ) -> None:
        home = str(Path(workspace).parent)
        settings = PromptSettings(generation=generation, mode=mode, workspace=workspace, home=home, model=model)
        for names, state in ((on, True), (off, False)):
            for name in names:
                settings = _switched(settings, name, on=state)
        return function(settings=settings, **rest)

    switches = click.Choice(list(SWITCHES))
    generations = click.Choice(["classic", "native"])
    decorated: Callable[..., None] = with_settings
    for option in (
        click.option("--without", "off", multiple=True, type=switches, help="Switch a setting off."),
        click.option("--with", "on", multiple=True, type=switches, help="Switch a setting on."),
        click.option("--model", default="", help="The model's id, which decides between variants of tools."),
        click.option("--workspace", default="/home/user/project", show_default=True, help="As the prompt names it."),
        click.option("--generation", type=generations, default="classic", show_default=True),
        click.option("--mode", default="code", show_default=True, help="Slug of the mode."),
    ):
        decorated = option(decorated)
    return decorated


def _switched(settings: PromptSettings, name: str, *, on: bool) -> PromptSettings:
    from streamarena.prompts import ServerTool, Skill, ToolServer

    if name == "servers":
        tool = ServerTool(
            "forecast", "Weather for a city", '{"type": "object", "properties": {"city": {"type": "string"}}}'
        )
        return replace(settings, servers=(ToolServer("weather", (tool,)),) if on else None)
    if name == "skills":
        skill = Skill("release", "How this project is released", "skills/release/SKILL.md")
        return replace(settings, skills=(skill,) if on else ())
    changes: dict[str, Any] = {name.replace("-", "_"): on}
    return replace(settings, **changes)


@click.group()
def command() -> None:
    """Look at the prompt catalogue, render prompts, check and import packs.

    Layers, each winning over the ones before: builtin, imported, user, project, --pack.
    """


@command.command("list")
@click.argument("prefix", default="")
@click.option("--kind", help="Only entries of this kind, such as tool or section.")
@_catalog_options
def _list(prefix: str, kind: str | None, catalog: PromptCatalog) -> None:
    """List entries: key, kind, layer, characters. PREFIX is the beginning of their keys, such as classic.tool."""
    keys = [key for key in catalog.keys(prefix) if kind is None or catalog.entry(key).kind == kind]
    width = max((len(key) for key in keys), default=0)
    for key in keys:
        origin = catalog.origin(key)
        click.echo(f"{key:{width}}  {catalog.entry(key).kind:12} {origin.layer:8} {len(catalog.text(key)):6}")
    click.echo(f"{len(keys)} of {len(catalog)} entries", err=True)


@command.command("show")
@click.argument("key")
@_catalog_options
def _show(key: str, catalog: PromptCatalog) -> None:
    """Show one entry as it is stored, with where it came from."""
    entry, origin = catalog.entry(key), catalog.origin(key)
    click.echo(f"{key}: {entry.kind}, layer {origin.layer}, pack {origin.pack} {origin.version}", err=True)
    click.echo(f"source: {origin.source}; file: {origin.path}", err=True)
    for name, values in (("parameters", entry.parameters), ("conditions", entry.conditions), ("when", entry.when)):
        if values:
            click.echo(f"{name}: {', '.join(values)}", err=True)
    click.echo(catalog.text(key))


@command.command("render")
@click.argument("key", required=False)
@click.argument("values", nargs=-1)
@click.option("--tools", "tool_format", type=click.Choice(TOOL_FORMATS), help="Print tool definitions in this format.")
@_settings_options
@_catalog_options
def _render(
    key: str | None,
    values: tuple[str, ...],
    tool_format: ToolFormat | None,
    settings: PromptSettings,
    catalog: PromptCatalog,
) -> None:
    """Render the system prompt of a mode, or one entry with NAME=VALUE pairs.

    `streamarena prompts render --mode code --with index` prints a whole prompt,
    `streamarena prompts render common.notice.lines_omitted count=12` one text.
    """
    _check_mode(settings, catalog)
    if key is not None:
        click.echo(catalog.render(key, **_values(key, values, catalog)))
    elif tool_format is None:
        click.echo(system_prompt(settings, catalog))
    else:
        import json

        tools = format_tools(_tools(replace(settings, generation="native"), catalog), tool_format)
        click.echo(json.dumps(tools, indent=2, ensure_ascii=False))


def _tools(settings: PromptSettings, catalog: PromptCatalog) -> list[ToolDefinition]:
    return [
        *tool_definitions(catalog, settings, settings_mode(settings, catalog)),
        *server_tools(settings.connected_servers),
    ]


def _check_mode(settings: PromptSettings, catalog: PromptCatalog) -> None:
    """Refuse a mode that does not exist; the library would take the first one."""
    modes = all_modes(catalog, settings.generation, settings.custom_modes, settings.mode_overrides)
    slugs = [mode.slug for mode in modes]
    if settings.mode not in slugs:
        raise click.UsageError(f"no mode is called {settings.mode!r}; there are: {', '.join(slugs)}")


def _values(key: str, pairs: tuple[str, ...], catalog: PromptCatalog) -> dict[str, str]:
    """Read NAME=VALUE pairs, each of which the text must know."""
    template = catalog.template(key)
    known = dict.fromkeys((*template.parameters, *template.conditions))
    values: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise click.BadParameter(f"{pair!r} is not of the form NAME=VALUE")
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise click.UsageError(f"{key} has no value {name!r}; {takes}")
        values[name] = value
    return values


@command.command("diff")
@click.argument("key", required=False)
@_catalog_options
def _diff(key: str | None, catalog: PromptCatalog) -> None:
    """Show how the packs change our own texts: all entries, or one KEY."""
    ours, theirs = PromptCatalog(), catalog
    keys = [key] if key else [name for name in theirs if theirs.origin(name).layer != "builtin" and name in ours]
    for name in keys:
        before = ours.text(name).splitlines() if name in ours else []
        lines = difflib.unified_diff(
            before,
            theirs.text(name).splitlines(),
            f"builtin/{name}",
            f"{theirs.origin(name).layer}/{name}",
            lineterm="",
        )
        for line in lines:
            click.echo(line)
    added = [name for name in theirs if name not in ours]
    click.echo(f"{len(keys)} entries compared; {len(added)} more are only in packs", err=True)


@command.command("check")
@click.argument("roots", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--write", is_flag=True, help="Bring manifests up to date with the texts beside them.")
@_catalog_options
def _check(roots: tuple[Path, ...], write: bool, catalog: PromptCatalog) -> None:
    """Check every text of the packs in ROOTS, or of all layers: tags, names, hashes.

    The exit code is 1 when something is wrong.
    """
    from streamarena.prompts.packwriter import refresh_pack

    if write:
        for root in roots:
            for line in refresh_pack(root):
                click.echo(f"{root}: {line}")
    catalog = PromptCatalog(user=roots) if roots else catalog
    problems = catalog.check()
    for problem in problems:
        click.echo(str(problem), err=True)
    click.echo(f"{sum(len(pack.entries) for _, pack in catalog.packs)} entries in {len(catalog.packs)} packs", err=True)
    if problems:
        raise click.exceptions.Exit(1)


@command.command("import")
@click.argument("checkout", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--generation", type=click.Choice(["auto", "classic", "native"]), default="auto", show_default=True)
@click.option(
    "--output", type=click.Path(path_type=Path), help="Folder of the new pack. Default: among the user's packs."
)
@click.option("--name", default="", help="Name of the pack. Default: from generation and version.")
@click.option("--force", is_flag=True, help="Write into a folder that holds something.")
def _import(
    checkout: Path, generation: Generation | Literal["auto"], output: Path | None, name: str, force: bool
) -> None:
    """Make a pack of the prompts in CHECKOUT, a working tree of the assistant. Nothing in it is executed."""
    from streamarena.prompts.importing import import_checkout

    target = output or _config() / "prompts" / "imported" / (name or checkout.resolve().name)
    wanted = None if generation == "auto" else generation
    report = import_checkout(checkout, target, generation=wanted, name=name, overwrite=force)
    _show_report(report, target)


def _show_report(report: ImportReport, target: Path) -> None:
    for problem in report.problems:
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        click.echo(f"{place}: {problem.reason}")
    click.echo(
        f"\n{report.generation} {report.version}: {len(report.literals)} texts from {report.files} files", err=True
    )
    click.echo(f"{len(report.mapped)} entries ready to use, {len(report.unmapped)} need a human", err=True)
    click.echo(f"pack: {target}", err=True)


@command.command("stats")
@_settings_options
@_catalog_options
def _stats(settings: PromptSettings, catalog: PromptCatalog) -> None:
    """Tokens for each section of a system prompt, and what each change of settings adds.

    For native prompts the tool definitions, which travel beside the prompt, are counted too.
    """
    from streamarena.context import TokenCounter

    _check_mode(settings, catalog)
    counter = TokenCounter()
    rows = _texts(settings, catalog)
    total = sum(counter.count_text(text) for _, text in rows)
    how = counter.encoding if counter.exact else "an estimate: bytes / 4"
    click.echo(f"{'section':22} {'tokens':>7} {'characters':>11}   ({how})")
    for name, text in rows:
        click.echo(f"{name:22} {counter.count_text(text):7} {len(text):11}")
    click.echo(f"{'together':22} {total:7} {sum(len(text) for _, text in rows):11}")
    click.echo("\na change of settings adds")
    for name, meaning in SWITCHES.items():
        on = not _is_on(settings, name)
        changed = _texts(_switched(settings, name, on=on), catalog)
        added = sum(counter.count_text(text) for _, text in changed) - total
        click.echo(f"  {'with' if on else 'without':7} {name:24} {added:+6}   {meaning}")


def _texts(settings: PromptSettings, catalog: PromptCatalog) -> list[tuple[str, str]]:
    """The sections, and for native the tool definitions as compact JSON."""
    rows = prompt_sections(settings, catalog)
    if settings.generation == "native":
        tools = format_tools(_tools(settings, catalog), "openai-chat")
        rows.append((f"{len(tools)} tool definitions", msgspec.json.encode(tools).decode()))
    return rows


def _is_on(settings: PromptSettings, name: str) -> bool:
    return bool(getattr(settings, name.replace("-", "_")))
