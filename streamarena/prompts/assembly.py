"""The system prompt of both generations: sections in order, from the catalogue and a frozen set of settings.

Sections are joined by one blank line; a section that is conditional and off leaves its blank line, as in the
reference (7.1). Headers with their line of `====` are part of the texts. Custom instructions come last and are left out
when there are none. A classic file override replaces all sections between role and custom instructions.

Invariants: pure; the same settings give the same string object while the catalogue remembers it.
Cost: cold, one rendering of about forty short templates; warm, one hash of the settings and one look-up.
Not here: reading instruction files (`instructions.py`), native tools (`tools.py`), environment details
(`environment.py`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import msgspec

from streamarena.prompts.catalog import PromptCatalog, builtin_catalog
from streamarena.prompts.file_lists import LOCK
from streamarena.prompts.modes import Mode, all_modes
from streamarena.prompts.tools import prompt_values, tool_catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamarena.prompts.instructions import InstructionLayers, RuleBlock
    from streamarena.prompts.settings import PromptSettings, Resource, ServerTool, ToolServer
    from streamarena.prompts.template import PromptValue

__all__ = ["SECTIONS", "custom_instructions", "prompt_sections", "settings_mode", "system_prompt"]

# The names under which sections stand in the catalogue, in order. "role" and "custom-instructions" are composed.
SECTIONS: Final = {
    "classic": (
        *("role", "markdown-formatting", "tool-use", "tools", "tool-use-guidelines", "mcp-servers", "capabilities"),
        *("modes", "rules", "system-info", "objective", "custom-instructions"),
    ),
    "native": (
        *("role", "markdown-formatting", "tool-use", "tool-use-guidelines", "capabilities", "modes", "skills", "rules"),
        *("system-info", "objective", "custom-instructions"),
    ),
}


def system_prompt(settings: PromptSettings, catalog: PromptCatalog | None = None) -> str:
    """Return the system prompt; the same object for the same settings while it is remembered.

    Args:
        settings: all inputs.
        catalog: default: our own texts.

    Raises:
        UnknownPromptError: the catalogue lacks a section.
        MissingPromptValueError: a text of a pack needs a value that neither settings nor `settings.extra` have.
    """
    catalog = builtin_catalog() if catalog is None else catalog
    return catalog.remember(settings, lambda: _assemble(settings, catalog))


def prompt_sections(settings: PromptSettings, catalog: PromptCatalog | None = None) -> list[tuple[str, str]]:
    """Return the sections as (name, text) in order; joined by blank lines they are the prompt.

    With a file override there are three: `role`, `file-override`, `custom-instructions`.
    """
    catalog = builtin_catalog() if catalog is None else catalog
    mode = settings_mode(settings, catalog)
    last = custom_instructions(settings, catalog)
    if settings.generation == "classic" and settings.file_override.strip():
        made = [("role", mode.role), ("file-override", _override_text(settings, mode))]
    else:
        job = _Job(catalog, settings, mode, prompt_values(settings, mode))
        made = [(name, _section(job, name)) for name in SECTIONS[settings.generation][:-1]]
        made = [(name, text) for name, text in made if text or name != "skills"]
    return [*made, ("custom-instructions", last)] if last else made


def settings_mode(settings: PromptSettings, catalog: PromptCatalog | None = None) -> Mode:
    """Return the mode that the settings select."""
    catalog = builtin_catalog() if catalog is None else catalog
    modes = all_modes(catalog, settings.generation, settings.custom_modes, settings.mode_overrides)
    return next((mode for mode in modes if mode.slug == settings.mode), modes[0])


def custom_instructions(settings: PromptSettings, catalog: PromptCatalog | None = None) -> str:
    """Return the last section, or "" when no layer says anything."""
    catalog = builtin_catalog() if catalog is None else catalog
    layers = settings.instructions
    mode = settings_mode(settings, catalog)
    find = catalog.find
    parts: list[str] = []
    if layers.language:
        key = find("fragment.language", settings.generation)
        parts.append(catalog.render(key, language=layers.language, code=layers.language_code or layers.language))
    for name, text in (
        ("global_instructions", layers.global_instructions),
        ("mode_instructions", mode.instructions),
    ):
        if text.strip():
            parts.append(catalog.render(find(f"fragment.{name}", settings.generation), text=text.strip()))
    if layers.rules:
        parts.append(_rules(catalog, settings, layers, mode))
    if not parts:
        return ""
    return catalog.render(find("section.custom-instructions", settings.generation), sections="\n\n".join(parts))


# ---------------------------------------------------------------- sections


class _Job(msgspec.Struct, frozen=True):
    """What every section needs: one assembly."""

    catalog: PromptCatalog
    settings: PromptSettings
    mode: Mode
    values: dict[str, PromptValue]

    def fragment(self, name: str, /, **values: PromptValue) -> str:
        """Render a fragment of this generation with the common values and further ones."""
        key = self.catalog.find(f"fragment.{name}", self.settings.generation)
        return self.catalog.template(key).render({**self.values, **values}, key=key)


def _assemble(settings: PromptSettings, catalog: PromptCatalog) -> str:
    return "\n\n".join(text for _, text in prompt_sections(settings, catalog))


def _section(job: _Job, name: str) -> str:
    if name == "role":
        return job.mode.role
    if name == "tools":
        return tool_catalogue(job.catalog, job.settings, job.mode)
    key = job.catalog.find(f"section.{name}", job.settings.generation)
    if not job.catalog.entry(key).applies(job.values):
        return ""
    compose = _COMPOSED.get(name)
    extra = compose(job) if compose else {}
    return job.catalog.template(key).render({**job.values, **extra}, key=key)


def _mode_values(job: _Job) -> dict[str, PromptValue]:
    settings = job.settings
    modes = all_modes(job.catalog, settings.generation, settings.custom_modes, settings.mode_overrides)
    lines = [job.fragment("mode", name=mode.name, slug=mode.slug, when=mode.summary) for mode in modes]
    return {"modes": "\n".join(lines)}


def _rule_values(job: _Job) -> dict[str, PromptValue]:
    if job.settings.generation == "classic":
        return {"editing": job.fragment("editing_fast_apply" if job.settings.fast_apply else "editing")}
    shell = job.settings.shell.lower()
    name = "powershell" if "powershell" in shell or "pwsh" in shell else "cmd" if "cmd" in shell else ""
    return {
        "chain": ";" if name == "powershell" else "&&",
        "shell_note": job.fragment(f"shell_{name}") if name else "",
        "confidentiality": job.fragment("confidentiality") if job.settings.stealth else "",
    }


def _skill_values(job: _Job) -> dict[str, PromptValue]:
    chosen = [skill for skill in job.settings.skills if not skill.modes or job.mode.slug in skill.modes]
    texts = [
        job.fragment(
            "skill", name=_escape(skill.name), description=_escape(skill.description), location=_escape(skill.location)
        )
        for skill in chosen
    ]
    return {"skills": job.fragment("skills", skills="\n".join(texts)) if texts else ""}


def _server_values(job: _Job) -> dict[str, PromptValue]:
    texts = [_server(job, server) for server in job.settings.connected_servers]
    return {"servers": ("\n\n".join(texts) or job.fragment("no_servers")) + "\n"}


def _server(job: _Job, server: ToolServer) -> str:
    return job.fragment(
        "server",
        name=server.name,
        command=server.command,
        instructions=server.instructions,
        tools="\n\n".join(_server_tool(job, tool) for tool in server.tools if tool.enabled),
        templates="\n".join(_resource(job, "server_template", item) for item in server.templates),
        resources="\n".join(_resource(job, "server_resource", item) for item in server.resources),
    )


def _server_tool(job: _Job, tool: ServerTool) -> str:
    schema = tool.schema
    if schema:
        try:
            schema = json.dumps(json.loads(schema), indent=2, ensure_ascii=False)
        except ValueError:
            schema = tool.schema  # what the server sent is shown as it is; calling it will tell
    return job.fragment(
        "server_tool", name=tool.name, description=tool.description, schema=schema.replace("\n", "\n\t\t")
    )


def _resource(job: _Job, fragment: str, resource: Resource) -> str:
    return job.fragment(fragment, uri=resource.uri, name=resource.name, description=resource.description)


def _escape(text: str) -> str:
    # xml.sax.saxutils has this too, and imports ssl and http for it.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_COMPOSED: Final[dict[str, Callable[[_Job], dict[str, PromptValue]]]] = {
    "modes": _mode_values,
    "rules": _rule_values,
    "skills": _skill_values,
    "mcp-servers": _server_values,
}


# ---------------------------------------------------------------- custom instructions


def _rules(catalog: PromptCatalog, settings: PromptSettings, layers: InstructionLayers, mode: Mode) -> str:
    texts: list[str] = []
    headed = {"global": "global_rules", "local": "local_rules"}
    for kind, heading in headed.items():
        files = [_rule(catalog, settings, block, mode) for block in layers.rules if block.kind == kind]
        if files:
            key = catalog.find(f"fragment.{heading}", settings.generation)
            texts.append(catalog.render(key, text="\n\n".join(files)))
    plain = [_rule(catalog, settings, block, mode) for block in layers.rules if block.kind not in headed]
    key = catalog.find("fragment.rules", settings.generation)
    return catalog.render(key, rules="\n\n".join([*plain, *texts]))


def _rule(catalog: PromptCatalog, settings: PromptSettings, block: RuleBlock, mode: Mode) -> str:
    fragment = {"ignore": "ignore_rules", "agents": "agents_rules"}.get(block.kind, "rule_file")
    key = catalog.find(f"fragment.{fragment}", settings.generation)
    return catalog.render(key, path=block.path, file=block.path, text=block.text, mode=mode.slug, lock=LOCK)


def _override_text(settings: PromptSettings, mode: Mode) -> str:
    layers = settings.instructions
    names = {
        "workspace": settings.workspace,
        "mode": mode.slug,
        "language": layers.language_code or layers.language,
        "shell": settings.shell,
        "operatingSystem": settings.operating_system,
    }
    text = settings.file_override.strip()
    for name, value in names.items():
        text = text.replace("{{" + name + "}}", value)
    return text
