"""What the commands of `streamarena context` do, apart from their options.

Cost: that of counting; a vocabulary takes some 0.3 s to load.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

import click
import msgspec
import orjson

from streamarena.context._checks import check_messages, naming_problems
from streamarena.context._json import exact_json, exact_json_bytes
from streamarena.context.breakdown import Breakdown, break_down
from streamarena.context.cline import cline_window
from streamarena.context.cline_edits import ClineContextManager
from streamarena.context.codex_cli import USER_MESSAGE_TOKENS, auto_compact_limit, compacted_items, normalize_items
from streamarena.context.manage import manage_context
from streamarena.context.models import ModelInfo, default_registry, model_info
from streamarena.context.native import effective_history
from streamarena.context.parameters import max_output_tokens
from streamarena.context.request import PreparedRequest, prepare_request
from streamarena.context.tokens import TokenCounter
from streamarena.context.window import WindowContext, allowed_tokens, effective_threshold
from streamarena.errors import ConfigurationError

if TYPE_CHECKING:
    from streamarena.context.messages import Message
    from streamarena.context.models import Snapshot
    from streamarena.context.trimming import Strategy

__all__ = ["MAX_INPUT_BYTES", "count", "explain", "models", "read_input", "trim"]

MAX_INPUT_BYTES: Final = 256 * 2**20
_TIMES_OF_DAY: Final = 0  # commands decide nothing by the clock
_SUMMARY_PREFIX: Final = "(summary)"


def read_input(file: IO[bytes]) -> dict[str, Any]:
    """Return a request body from JSON: a body, a list of messages, or one message a line.

    Raises:
        ConfigurationError: it is none of these, holds no message, or is larger than 256 MiB.
        MalformedMessageError: a message has no shape to work with.
    """
    data = file.read(MAX_INPUT_BYTES + 1)
    if len(data) > MAX_INPUT_BYTES:
        raise ConfigurationError(f"the input is larger than {MAX_INPUT_BYTES} bytes")
    if not data.strip():
        raise ConfigurationError("the input is empty")
    value = _value(data)
    body: dict[str, Any] = {"messages": value}
    if isinstance(value, dict):
        given = cast("dict[str, Any]", value)
        body = {"messages": [given]} if "role" in given else given
    messages = body.get("messages", body.get("input"))
    if not isinstance(messages, list):
        raise ConfigurationError("the input holds no list of messages, neither itself nor under messages or input")
    if not messages:
        raise ConfigurationError("the input holds no messages")
    check_messages(_messages(body))
    return body


def _value(data: bytes) -> object:
    """Return the JSON value, or the list of the values of all lines."""
    try:
        return exact_json(data)
    except ValueError as error:
        lines = [(number, line) for number, line in enumerate(data.split(b"\n"), 1) if line.strip()]
        if len(lines) < 2 or not lines[0][1].lstrip().startswith(b"{"):
            raise ConfigurationError(f"the input is not JSON: {error}") from error
    values: list[object] = []
    for number, line in lines:
        try:
            values.append(exact_json(line))
        except ValueError as error:
            raise ConfigurationError(f"the input is not JSON, and its line {number} is not either: {error}") from error
    return values


def count(body: dict[str, Any], *, model: str | None, vocabulary: Path | None, top: int, as_json: bool) -> None:
    """Print where the tokens are."""
    counter = TokenCounter(vocabulary=vocabulary)
    tools: list[Any] = body["tools"] if isinstance(body.get("tools"), list) else []
    done = break_down(_messages(body), counter, tools)
    info = _model(body, model)
    if as_json:
        largest = [{"index": m.index, "role": m.role, "tokens": m.tokens, "parts": m.parts} for m in done.messages]
        value = {"total": done.total, "exact": done.exact, "by_kind": done.by_kind, "messages": largest}
        click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))
        return
    _print_breakdown(done, info, top)


def trim(body: dict[str, Any], output: IO[bytes], **options: Any) -> None:  # noqa: ANN401 - the command's options
    """Write the trimmed conversation, in the form that it came in; the report goes to standard error."""
    prepared = _prepare(body, **options)
    bare = set(body) == {"messages"}
    value = prepared.body["messages"] if bare else prepared.body
    output.write(exact_json_bytes(value) + b"\n")
    for line in _report_lines(prepared, len(_messages(body))):
        click.echo(line, err=True)


def explain(body: dict[str, Any], *, policy: str, model: str | None, **options: Any) -> None:  # noqa: ANN401 - the command's options
    """Print what a policy would do, and why."""
    if policy == "trim":
        prepared = _prepare(body, model=model, drop_last=False, pinned=(), **options)
        for line in _report_lines(prepared, len(_messages(body))):
            click.echo(line)
        _compare(body, prepared.body, TokenCounter(vocabulary=options["vocabulary"]))
        return
    counter = TokenCounter(vocabulary=options["vocabulary"], generation="classic" if policy == "classic" else "native")
    info = _model(body, model)
    if not options["max_tokens"] and not info.known:
        said = f"the model {info.id!r} is not known" if info.id else "there is no model"
        raise ConfigurationError(f"{said}: give --model or --max-tokens, the size of its window")
    if options["max_tokens"]:
        info = msgspec.structs.replace(info, context_window=options["max_tokens"])
    messages = _messages(body)
    total = sum(map(counter, messages[:-1]))
    with naming_problems(messages):
        match policy:
            case "cline":
                _explain_cline(messages, info, total, counter)
            case "codex-cli":
                _explain_codex_cli(messages, info, counter)
            case _:
                _explain_window(messages, info, total, counter, policy)


def models(
    pattern: str, *, provider: str | None, snapshot: Snapshot | None, config: Path | None, as_json: bool
) -> None:
    """Print the models that match."""
    registry = default_registry() if config is None else default_registry().with_toml(config)
    found: list[ModelInfo] = []
    for entry in registry:
        if pattern.lower() not in entry.id.lower() or provider not in {None, entry.provider}:
            continue
        info = registry.get(entry.id, entry.provider, snapshot) if snapshot else entry
        if info.known and info.id == entry.id:
            found.append(info)
    if provider is not None and not any(entry.provider == provider for entry in registry):
        known = sorted({entry.provider for entry in registry})
        raise ConfigurationError(f"there is no table {provider!r}; there are {', '.join(known)}")
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    if not found:
        raise ConfigurationError(f"no known model has {pattern!r} in its id" + (", there and then" if snapshot else ""))
    rows = [
        (
            info.id,
            info.provider,
            f"{info.context_window:,}",
            _limit(info),
            _price(info.input_price),
            _price(info.output_price),
        )
        for info in sorted(found, key=lambda info: (info.id, info.provider))
    ]
    _table(("model", "provider", "window", "output", "$ in", "$ out"), rows)


def _prepare(
    body: dict[str, Any],
    *,
    model: str | None,
    max_tokens: int | None,
    vocabulary: Path | None,
    strategy: Strategy,
    pinned: Sequence[int],
    drop_last: bool,
) -> PreparedRequest:
    named = body if model is None else {**body, "model": model}
    if max_tokens is None and not named.get("model"):
        raise ConfigurationError("give --model or --max-tokens: without one there is no budget")
    prepared = prepare_request(
        named,
        max_input_tokens=max_tokens,
        strategy=strategy,
        counter=TokenCounter(vocabulary=vocabulary),
        pinned=pinned,
        require_last=not drop_last,
    )
    if "model" in body or model is None:
        return prepared
    return PreparedRequest({key: value for key, value in prepared.body.items() if key != "model"}, prepared.report)


def _report_lines(prepared: PreparedRequest, given: int) -> list[str]:
    report = prepared.report
    lines = [f"budget   {report.budget:,} tokens for messages ({report.fixed_tokens:,} more for what is beside them)"]
    if report.model is not None and report.model.known:
        window = f"window {report.model.context_window:,}, {report.reserved:,} reserved"
        lines.insert(0, f"model    {report.model.id}: {window}")
    kept = given - len(report.dropped)
    lines.append(f"kept     {kept} of {given} messages, {report.tokens:,} tokens{_exactness(report.exact)}")
    if report.dropped:
        lines.append(f"dropped  messages {_ranges(report.dropped)}")
    lines.extend(
        f"mended   message {repair.index}: {repair.kind} {repair.call_id}".rstrip() for repair in report.repairs
    )
    if report.trim is not None and report.trim.cleared:
        lines.append(f"emptied  {report.trim.cleared} old tool results")
    lines.extend(f"note     {note}" for note in report.notes)
    return lines


def _compare(before: dict[str, Any], after: Any, counter: TokenCounter) -> None:  # noqa: ANN401 - a body
    first = break_down(_messages(before), counter)
    last = break_down(_messages(cast("dict[str, Any]", after)), counter)
    kinds = sorted({*first.by_kind, *last.by_kind}, key=lambda kind: -first.by_kind.get(kind, 0))
    rows = [(kind, f"{first.by_kind.get(kind, 0):,}", f"{last.by_kind.get(kind, 0):,}") for kind in kinds]
    click.echo()
    _table(("tokens", "before", "after"), [*rows, ("all", f"{first.total:,}", f"{last.total:,}")])


def _explain_window(messages: list[Message], info: ModelInfo, total: int, counter: TokenCounter, policy: str) -> None:
    limit = max_output_tokens(info, generation="classic" if policy == "classic" else "native")
    context = WindowContext(
        messages,
        total_tokens=total,
        context_window=info.context_window,
        count=counter.count_blocks,
        max_tokens=limit,
        new_id=lambda: str(uuid.uuid4()),
        now=_TIMES_OF_DAY,
    )
    done = asyncio.run(manage_context(context, policy="classic" if policy == "classic" else "native"))
    allowed = allowed_tokens(info.context_window, limit)
    threshold, _ = effective_threshold(context.auto_condense_percent, context.profile_thresholds, "default")
    percent = 100 * done.prev_context_tokens / info.context_window
    click.echo(
        f"model    {info.id}: window {info.context_window:,}, {limit or 8192:,} reserved, allowed {allowed:,.1f}"
    )
    click.echo(
        f"in use   {done.prev_context_tokens:,.0f} tokens, {percent:.1f} % of the window{_exactness(counter.exact)}"
    )
    click.echo(f"policy   {policy}: condense from {threshold:g} % or above the allowed size, else drop half above it")
    due = (
        "is due: a model would be asked first"
        if percent >= threshold or done.prev_context_tokens > allowed
        else "is not due"
    )
    click.echo(f"condense {due}")
    click.echo(f"decision {done.action}" + (f", {done.messages_removed} messages" if done.messages_removed else ""))
    sent = effective_history(done.messages) if policy == "native" else done.messages
    click.echo(f"sent     {len(sent)} of {len(messages)} messages, {sum(map(counter, sent)):,} tokens")


def _explain_cline(messages: list[Message], info: ModelInfo, total: int, counter: TokenCounter) -> None:
    window = cline_window(info.context_window, model_id=info.id)
    done = ClineContextManager().prepare(messages, previous_total=total, window=window, time=_TIMES_OF_DAY)
    click.echo(f"model    {info.id}: window {window.context_window:,}, at most {window.max_allowed_size:,} in use")
    click.echo(f"in use   {total:,} tokens by the previous request{_exactness(counter.exact)}")
    if done.saved_share is not None:
        click.echo(f"files    replacing repeated contents saves {done.saved_share:.0%} (30 % is enough)")
    left_out = f"messages {done.deleted[0]}-{done.deleted[1]} are left out" if done.deleted else "nothing is left out"
    click.echo(f"decision {left_out}")
    click.echo(
        f"sent     {len(done.messages)} of {len(messages)} messages, {sum(map(counter, done.messages)):,} tokens"
    )


def _explain_codex_cli(messages: list[Message], info: ModelInfo, counter: TokenCounter) -> None:
    used = sum(map(counter, messages))
    limit = auto_compact_limit(info.context_window)
    click.echo(f"model    {info.id}: window {info.context_window:,}, compacted from {limit:,} tokens in use")
    click.echo(f"in use   {used:,} tokens, {used / info.context_window:.1%} of the window{_exactness(counter.exact)}")
    if used < limit:
        click.echo("decision unchanged: compacting is not due")
        sent = normalize_items(messages)
    else:
        sent = compacted_items(messages, "", summary_prefix=_SUMMARY_PREFIX)
        kept = f"the newest user messages within {USER_MESSAGE_TOKENS:,} tokens"
        click.echo(f"decision compact: a model is asked for a summary; {kept} stay before it, nothing else does")
    click.echo(f"sent     {len(sent)} for {len(messages)} messages, {sum(map(counter, sent)):,} tokens")


def _print_breakdown(done: Breakdown, info: ModelInfo, top: int) -> None:
    share = f", {done.total / info.context_window:.1%} of {info.id}'s {info.context_window:,}" if info.known else ""
    if info.id and not info.known:
        share = f"; the model {info.id!r} is not known"
    click.echo(f"{done.total:,} tokens in {len(done.messages)} messages{_exactness(done.exact)}{share}")
    click.echo()
    kinds = sorted(done.by_kind.items(), key=lambda pair: -pair[1])
    _table(("kind", "tokens", "share"), [(k, f"{n:,}", f"{n / done.total:.1%}") for k, n in kinds if n])
    click.echo()
    largest = sorted(done.messages, key=lambda message: -message.tokens)[:top]
    _table(("message", "role", "tokens"), [(str(m.index), m.role, f"{m.tokens:,}") for m in largest])


def _messages(body: dict[str, Any]) -> list[Message]:
    return cast("list[Message]", body.get("messages") or body.get("input") or [])


def _model(body: dict[str, Any], model: str | None) -> ModelInfo:
    return model_info(model or str(body.get("model") or ""))


def _exactness(exact: bool) -> str:
    return "" if exact else " (estimated: no vocabulary; see fetch-vocabulary)"


def _limit(info: ModelInfo) -> str:
    return "-" if info.max_output_tokens in {None, -1} else f"{info.max_output_tokens:,}"


def _price(price: float | None) -> str:
    return "-" if price is None else f"{price:g}"


def _ranges(indices: Sequence[int]) -> str:
    """Write indices as ranges: 0-3, 7."""
    parts: list[list[int]] = []
    for index in indices:
        if parts and index == parts[-1][1] + 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        first, *rest = [
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join([first, *rest]).rstrip())
    sys.stdout.flush()
