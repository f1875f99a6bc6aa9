"""`streamarena chat`: one question to a model, the answer printed as it streams."""

from __future__ import annotations

import os

import click

from streamarena.cli._loop import run
from streamarena.client import ENDPOINTS, StreamClient, StreamResult, Timeouts
from streamarena.errors import ConfigurationError, StreamArenaError
from streamarena.providers import ReasoningChunk, TextChunk

__all__ = ["command"]

_LIMIT_HELP = (
    "The longest answer, in tokens. openai-chat sends it as max_completion_tokens, OpenAI's name for it; "
    "for a server that only knows max_tokens, choose --api vllm."
)


@click.command("chat", short_help="Ask a model one question and print the answer as it streams.")
@click.argument("question")
@click.option("--base-url", help="Where the API lives, e.g. http://localhost:8000/v1. Default: the provider's own.")
@click.option("--model", required=True, help="The model to ask, as its provider names it.")
@click.option(
    "--api",
    type=click.Choice(sorted(ENDPOINTS)),
    default="openai-chat",
    show_default=True,
    help="The wire API to speak.",
)
@click.option("--api-key", help="Default: OPENAI_API_KEY, ANTHROPIC_API_KEY, ... from the environment, by --api.")
@click.option("--system", help="A system prompt.")
@click.option("--max-tokens", type=click.IntRange(min=1), help=_LIMIT_HELP)
@click.option("--timeout", type=click.FloatRange(min=0.1), default=120.0, show_default=True, help="Seconds for it all.")
@click.option("--reasoning", is_flag=True, help="Print the model's reasoning too, dimmed.")
@click.option("--stats", is_flag=True, help="Print times, sizes and token counts afterwards, to standard error.")
def command(  # noqa: PLR0917 - click calls it by keyword
    question: str,
    base_url: str | None,
    model: str,
    api: str,
    api_key: str | None,
    system: str | None,
    max_tokens: int | None,
    timeout: float,
    reasoning: bool,
    stats: bool,
) -> None:
    """Ask a model one QUESTION and print the answer as it streams.

    \b
    streamarena chat --model gpt-5-mini "Why is the sky blue?"
    streamarena chat --api anthropic --model claude-sonnet-4-5 "Why is the sky blue?"
    streamarena chat --base-url http://localhost:8000/v1 --model my-model --stats "Why?"

    Exit codes: 0 answered; 1 the stream failed; 2 wrong usage; 130 interrupted.
    """  # noqa: D301 - click knows its marker as one character, not as a backslash and a letter
    key = _key(api, base_url, api_key)
    members = _members(api, question, system, max_tokens)
    client = StreamClient(base_url, api=api, api_key=key, timeouts=Timeouts(total=timeout))
    try:
        result = run(_ask(client, {"model": model, **members}, reasoning=reasoning))
    except ConfigurationError:
        raise  # wrong usage, as everywhere
    except StreamArenaError as error:
        click.echo(f"\n{type(error).__name__}: {error}", err=True)
        raise SystemExit(1) from error
    if stats:
        click.echo(_describe(result), err=True)


def _key(api: str, base_url: str | None, given: str | None) -> str | None:
    """Return the key to send.

    Raises:
        ConfigurationError: there is none, and the provider's own address answers nobody without one.
    """
    endpoint = ENDPOINTS[api]
    key = given or os.environ.get(endpoint.key_variable or "-")
    if not key and not base_url and endpoint.base_url.startswith("https://"):
        raise ConfigurationError(
            f"{endpoint.base_url} needs a key: set {endpoint.key_variable}, or give --api-key (or --base-url)"
        )
    return key


def _members(api: str, question: str, system: str | None, max_tokens: int | None) -> dict[str, object]:
    """Write the question as the members of a request body of this API."""
    turn: object = {"role": "user", "content": question}
    if api == "gemini":
        contents = [{"role": "user", "parts": [{"text": question}]}]
        instruction = {"systemInstruction": {"parts": [{"text": system}]}} if system else {}
        config = {"generationConfig": {"maxOutputTokens": max_tokens}} if max_tokens else {}
        return {"contents": contents, **instruction, **config}
    if api == "anthropic":
        return {"messages": [turn], "max_tokens": max_tokens or 4096, **({"system": system} if system else {})}
    if api == "openai-responses":
        limit: dict[str, object] = {"max_output_tokens": max_tokens} if max_tokens else {}
        return {"input": question, **({"instructions": system} if system else {}), **limit}
    if api == "tgi":
        return {"inputs": question, "parameters": {"max_new_tokens": max_tokens or 512}}
    first = [{"role": "system", "content": system}] if system else []
    limit = {"max_completion_tokens" if api == "openai-chat" else "max_tokens": max_tokens} if max_tokens else {}
    return {"messages": [*first, turn], **limit}


async def _ask(client: StreamClient, body: dict[str, object], *, reasoning: bool) -> StreamResult:
    async with client, client.stream(body) as stream:
        async for chunk in stream:
            if isinstance(chunk, TextChunk):
                click.echo(chunk.text, nl=False)
            elif isinstance(chunk, ReasoningChunk) and reasoning:
                click.echo(click.style(chunk.text, dim=True), nl=False)
        result = await stream.result()
    click.echo()
    return result


def _describe(result: StreamResult) -> str:
    usage, timings = result.usage, result.timings
    tokens = f"{usage.input_tokens} in, {usage.output_tokens} out" if usage else "not reported"
    ttft, duration = timings.time_to_first_token, timings.duration
    lines = {
        "time to first token": "-" if ttft is None else f"{ttft * 1000:.1f} ms",
        "duration": "-" if duration is None else f"{duration:.2f} s",
        "chunks": f"{result.chunks}, {result.bytes_received} bytes",
        "tokens": tokens,
        "finish reason": result.raw_finish_reason or "not reported",
    }
    return "\n".join(f"{name:<20} {value}" for name, value in lines.items())
