"""Which options of `streamarena load` go together: one that would have no effect is refused, not ignored.

Invariant: what was not typed is never complained of; the table `_RULES` is the whole of it.
Not here: reading values (`_load_values.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import click
from click.core import ParameterSource

__all__ = ["check_options"]

_Options: TypeAlias = Mapping[str, Any]


def check_options(options: dict[str, Any], context: click.Context) -> None:
    """Check that every option that was typed means something beside the others.

    `--max-concurrency` alone, as users of vLLM's benchmark type it, becomes the concurrency.

    Raises:
        click.UsageError: one has no effect, or two contradict each other.
    """
    if not options["url"].lower().startswith(("http://", "https://")):
        raise click.UsageError(f"--url must begin with http:// or https://, not {options['url']!r}")
    if options["concurrency"] is not None and options["request_rate"] is not None:
        raise click.UsageError(
            "--concurrency is a closed loop and --request-rate an open one; give one of them (--max-concurrency caps"
            " an open loop)"
        )
    if options["metrics_url"] is not None and not options["metrics_url"].startswith(("http://", "https://")):
        raise click.UsageError("--metrics-url must begin with http:// or https://")
    if options["max_concurrency"] is not None and _is_plain(options):
        options["concurrency"], options["max_concurrency"] = (options["max_concurrency"],), None
        return
    for name, (needed, holds) in _RULES.items():
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE and not holds(options):
            flag = next(parameter.opts[0] for parameter in context.command.params if parameter.name == name)
            raise click.UsageError(f"{flag} has no effect without {needed}")


def _is_plain(options: _Options) -> bool:
    """Whether nothing but `--max-concurrency` says how much load there is."""
    return not any(options[name] for name in ("concurrency", "request_rate", "fixed_schedule", "find_max"))


def _is_open(options: _Options) -> bool:
    return bool(options["request_rate"] or options["fixed_schedule"] or options["find_max"] == "request-rate")


def _has_rate(options: _Options) -> bool:
    return bool(options["request_rate"] or options["find_max"] == "request-rate")


def _is_synthetic(options: _Options) -> bool:
    return options["dataset"] == "synthetic" or (options["dataset"] is None and options["input_file"] is None)


_SYNTHETIC: Final = ("made-up prompts (no --input-file)", _is_synthetic)
_OF_PROMPTS: Final = ("isl", "isl_stddev", "osl", "osl_stddev", "exact_osl", "prefix_tokens", "think_time")

_RULES: Final[Mapping[str, tuple[str, Callable[[_Options], bool]]]] = {
    **dict.fromkeys(_OF_PROMPTS, _SYNTHETIC),
    "arrival_pattern": ("--request-rate", _has_rate),
    "burstiness": ("--request-rate and --arrival-pattern gamma", lambda o: o["arrival_pattern"] == "gamma"),
    "max_concurrency": ("--request-rate or --fixed-schedule", _is_open),
    "max_rate": ("a closed loop (--concurrency)", lambda o: not _is_open(o)),
    "ramp_up": ("--concurrency or --request-rate", lambda o: not o["fixed_schedule"]),
    "speed": ("--fixed-schedule", lambda o: o["fixed_schedule"]),
    "prefixes": ("--prefix-tokens", lambda o: o["prefix_tokens"]),
    "max_history_tokens": ("--turns", lambda o: o["turns"] > 1 and _is_synthetic(o)),
    "images": ("--image-size", lambda o: o["image_size"]),
    "input_file": ("a --dataset that is read from files", lambda o: o["dataset"] != "synthetic"),
    "search_limit": ("--find-max", lambda o: o["find_max"]),
    "search_runs": ("--find-max", lambda o: o["find_max"]),
    "ray_address": ("--engine ray", lambda o: o["engine"] == "ray"),
}
