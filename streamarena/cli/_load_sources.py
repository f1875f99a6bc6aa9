"""What `streamarena load` sends: request sources and schedules from its options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from streamarena.load import ClosedLoop, DropStreams, Lengths, OpenLoop, Stage, Synthetic
from streamarena.load.datasets import JSONLines, ShareGPT
from streamarena.load.images import WithImages
from streamarena.load.traces import Trace, read_trace

if TYPE_CHECKING:
    from streamarena.load import RequestSource, Schedule

__all__ = ["drop_streams", "make_source", "schedules"]


def make_source(options: Mapping[str, Any]) -> RequestSource:
    """Return what makes the requests.

    Raises:
        click.UsageError: options that do not go together.
    """
    members = dict(options["extra_body"] or {})
    shared: dict[str, Any] = {"api": options["api"], "members": members}
    file, dataset = options["input_file"], options["dataset"]
    if dataset is None:
        dataset = "jsonl" if file is not None else "synthetic"
    source: RequestSource
    if dataset == "synthetic":
        source = _synthetic(options, shared)
    elif file is None:
        raise click.UsageError(f"--dataset {dataset} needs --input-file")
    elif dataset == "jsonl":
        source = JSONLines(file, **shared)
    elif dataset == "sharegpt":
        source = ShareGPT(file, turns=options["turns"] > 1, **shared)
    else:
        source = read_trace(file, seed=options["seed"], **shared)
    if options["image_size"]:
        width, _, height = options["image_size"].partition("x")
        if not (width.isdigit() and height.isdigit()):
            raise click.UsageError("--image-size is written as 512x512")
        source = WithImages(source, int(width), int(height), count=options["images"], api=options["api"])
    return source


def _synthetic(options: Mapping[str, Any], shared: Mapping[str, Any]) -> Synthetic:
    return Synthetic(
        Lengths(options["isl"], options["isl_stddev"]),
        Lengths(options["osl"], options["osl_stddev"]) if options["osl"] else None,
        prefix_tokens=options["prefix_tokens"],
        prefixes=options["prefixes"],
        turns=options["turns"],
        think_seconds=options["think_time"],
        max_history_tokens=options["max_history_tokens"],
        exact=options["exact_osl"],
        seed=options["seed"],
        **shared,
    )


def schedules(options: Mapping[str, Any], source: RequestSource) -> Iterator[Schedule]:
    """Return the schedules of a sweep, in the order they were written.

    Raises:
        click.UsageError: a recorded schedule is asked for and there is no trace.
    """
    if options["fixed_schedule"]:
        if not isinstance(source, Trace):
            raise click.UsageError("--fixed-schedule needs --dataset trace, whose file has the times")
        yield source.arrivals(speed=options["speed"], max_concurrency=options["max_concurrency"])
        return
    if options["request_rate"] is not None:
        for rate in options["request_rate"]:
            yield open_loop(options, rate)
        return
    for concurrency in options["concurrency"] or (1,):
        yield closed_loop(options, concurrency)


def open_loop(options: Mapping[str, Any], rate: float) -> OpenLoop:
    """Return the open loop of a rate."""
    return OpenLoop(
        rate,
        options["arrival_pattern"],
        options["burstiness"],
        options["ramp_up"],
        tuple(Stage(*stage) for stage in options["stages"]),
        options["max_concurrency"],
    )


def closed_loop(options: Mapping[str, Any], concurrency: int) -> ClosedLoop:
    """Return the closed loop of a number of users."""
    stages = tuple(Stage(*stage) for stage in options["stages"])
    return ClosedLoop(concurrency, options["ramp_up"], stages, options["max_rate"])


def drop_streams(text: str | None) -> DropStreams | None:
    """Return the share of streams to leave early: `0.1@20` after 20 chunks, `0.1@2s` after two seconds."""
    if text is None:
        return None
    share, at, when = text.partition("@")
    try:
        if when.endswith("s"):
            return DropStreams(float(share), after_seconds=float(when[:-1]))
        if at:
            return DropStreams(float(share), after_chunks=int(when))
    except ValueError as error:
        raise click.UsageError(f"--drop {text!r}: {error}") from error
    raise click.UsageError("--drop is written as SHARE@CHUNKS or SHARE@SECONDSs: 0.1@20, 0.1@2.5s")
