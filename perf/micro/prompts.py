"""The prompt catalogue: memory after first use, one copy for a thousand requests, cold and warm rendering, tools.

Memory is traced in a fresh process, after everything was imported. Resident is what the catalogue holds with every text
of both generations read and compiled (a program that uses one generation holds about half). Remembered prompts come on
top of it, about 33 kB for a classic one, and are counted apart. Times are CPU time, the median of the rounds. Cold:
settings never seen before, the texts compiled. First: a fresh process opens the pack, reads and compiles what one
prompt needs. `measure()` returns the figures, for `perf.criteria` too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import replace

TARGETS = {
    "resident_bytes": (600_000, "built-in catalogue, every text read and compiled"),
    "before_use_bytes": (10_000, "the same before first use"),
    "shared_bytes": (10_000, "what 1,000 requests add to one prompt, each holding it"),
    "cold_seconds": (3e-3, "cold rendering of a classic code-mode prompt"),
    "warm_seconds": (5e-6, "warm rendering"),
    "tools_bytes": (25_000, "definitions of all native tools (about 20 kB)"),
}

_MEMORY = """
import gc, json, tracemalloc
import streamarena.prompts as p
import hashlib, tomllib, difflib
from dataclasses import replace
settings = p.PromptSettings(workspace="/w")
gc.collect()
tracemalloc.start()

def traced(since=0):
    gc.collect()
    return tracemalloc.get_traced_memory()[0] - since

base = traced()
before = traced(base)
catalog = p.builtin_catalog()
assert catalog.check() == []
resident = traced(base)
one = p.system_prompt(settings)
with_one = traced(base)
for generation in ("classic", "native"):
    for mode in p.builtin_modes(catalog, generation):
        p.system_prompt(replace(settings, generation=generation, mode=mode.slug))
with_all = traced(base)
held = [None] * 1000
start = traced()
for i in range(1000):
    held[i] = p.system_prompt(replace(settings))
print(json.dumps({
    "before_use_bytes": before, "resident_bytes": resident, "one_prompt_bytes": with_one - resident,
    "ten_prompts_bytes": with_all - resident, "shared_bytes": traced(start),
    "prompt_characters": len(one), "copies": len({id(text) for text in held}),
}))
"""

_FIRST = """
import time, streamarena.prompts as p
start = time.process_time()
p.system_prompt(p.PromptSettings(workspace="/w"))
print(time.process_time() - start)
"""


def measure(rounds: int = 9) -> dict[str, float]:
    """Measure everything once; about two seconds."""
    from streamarena.prompts import PromptCatalog, PromptSettings, builtin_catalog, settings_mode, system_prompt

    figures: dict[str, float] = json.loads(_run(_MEMORY))
    figures["first_seconds"] = statistics.median(float(_run(_FIRST)) for _ in range(3))
    settings = PromptSettings(workspace="/w")
    catalog = PromptCatalog(max_remembered=4)
    system_prompt(settings, catalog)
    figures["cold_seconds"] = _median(
        rounds, 50, lambda n: system_prompt(replace(settings, workspace=f"/w/{n}"), catalog)
    )
    system_prompt(settings, catalog)
    figures["warm_seconds"] = _median(rounds, 10_000, lambda _: system_prompt(settings, catalog))
    figures["tools_bytes"] = _tools_bytes(builtin_catalog(), replace(settings, generation="native"), settings_mode)
    return figures


def _tools_bytes(catalog, settings, settings_mode) -> int:
    from streamarena.prompts import Resource, Skill, ToolServer, format_tools, tool_definitions
    from streamarena.prompts.tool_tables import OPT_IN

    everything = replace(
        settings,
        index=True,
        image_generation=True,
        run_slash_command=True,
        skills=(Skill("s", "d", "l"),),
        servers=(ToolServer("w", resources=(Resource("u"),)),),
        included_tools=tuple(OPT_IN),
    )
    tools = tool_definitions(catalog, everything, settings_mode(everything, catalog))
    return len(json.dumps(format_tools(tools, "openai-chat"), ensure_ascii=False, separators=(",", ":")).encode())


def _median(rounds: int, repeats: int, work) -> float:
    figures = []
    for turn in range(rounds):
        start = time.process_time()
        for number in range(repeats):
            work(turn * repeats + number)
        figures.append((time.process_time() - start) / repeats)
    return statistics.median(figures)


def _run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--save-baseline", action="store_true", help="ignored: the targets stand here")
    figures = measure(parser.parse_args(arguments).rounds)
    for name, (target, about) in TARGETS.items():
        value = figures[name]
        scale, unit = (1e6, "us") if name.endswith("seconds") else (1, "B")
        verdict = "ok  " if value <= target else "MISS"
        print(f"{verdict} {value * scale:>12,.2f} {unit:2} (at most {target * scale:,.0f})  {about}")
    print(
        f"     {figures['first_seconds'] * 1e3:,.1f} ms for the first prompt of a process: open, read, compile, render"
    )
    print(f"     {figures['one_prompt_bytes']:,.0f} B for one remembered prompt of {figures['prompt_characters']:,.0f}")
    print(f"     characters, {figures['ten_prompts_bytes']:,.0f} B for those of all ten modes;")
    print(f"     {figures['copies']:.0f} object for 1,000 requests")


if __name__ == "__main__":
    main()
