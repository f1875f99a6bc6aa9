"""`streamarena serve`: a relay between model clients and model servers."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from streamarena.cli._listening import cannot_listen
from streamarena.errors import ConfigurationError, MissingExtraError
from streamarena.providers import APIS, wire_of
from streamarena.relay.config_file import read_config
from streamarena.relay.settings import TRANSLATED, RelaySettings, TargetSettings
from streamarena.relay.status.page import PageSettings

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["command"]

_APIS = sorted(api for api in APIS if wire_of(api) in TRANSLATED)


@click.command("serve", short_help="Relay model requests: watch, limit, route and translate them.")
@click.option("--upstream", metavar="URL", help="The server to relay to, as an SDK's base_url for it.")
@click.option("--api", "apis", type=click.Choice(_APIS), multiple=True, help="Translate what is not in this API.")
@click.option("--key-variable", metavar="NAME", help="Environment variable with the upstream's key.")
@click.option("--forward-key", is_flag=True, help="Send the callers' own keys on.")
@click.option("--config", type=click.Path(path_type=Path), help="Targets, routes and limits from a TOML file.")
@click.option("--check", is_flag=True, help="Read the configuration, say whether it is right, and end.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--page", is_flag=True, help="Show what passes at /_streamarena, to browsers on this machine.")
@click.option("--page-token-variable", metavar="NAME", help="Variable with a token: show the page to its bearer.")
@click.option("--shutdown-seconds", type=click.FloatRange(min=0), help="How long streams may finish.  [default: 30]")
@click.option("--access-log/--no-access-log", default=True, show_default=True, help="JSON lines, to standard output.")
def command(  # noqa: PLR0917 - click calls it by keyword
    upstream: str | None,
    apis: tuple[str, ...],
    key_variable: str | None,
    forward_key: bool,
    config: Path | None,
    check: bool,
    host: str,
    port: int,
    workers: int,
    page: bool,
    page_token_variable: str | None,
    shutdown_seconds: float | None,
    access_log: bool,
) -> None:
    """Stand between model clients and model servers: pass streams on unchanged, watch, limit, route, translate.

    \b
    streamarena serve --upstream http://127.0.0.1:8000/v1
    streamarena serve --upstream https://api.openai.com/v1 --key-variable OPENAI_API_KEY
    streamarena serve --upstream http://127.0.0.1:8000/v1 --api vllm     # other APIs are translated to it
    streamarena serve --config relay.toml --workers 4

    Health is at /healthz, metrics at /metrics. The first SIGTERM or Ctrl-C lets streams finish, the second does not.
    Exit codes: 0 ended; 1 the address cannot be listened on; 2 wrong usage or configuration.
    """  # noqa: D301 - click knows its marker as one character, not as a backslash and a letter
    settings = _settings(upstream, apis, key_variable, config, forward_key=forward_key)
    if shutdown_seconds is not None:
        settings = msgspec.structs.replace(settings, shutdown_seconds=shutdown_seconds)
    if page or page_token_variable is not None:
        shown = PageSettings(enabled=True, token_variable=page_token_variable)
        settings = msgspec.structs.replace(settings, page=shown)
    if check:
        click.echo(f"{config or upstream}: {len(settings.targets)} targets, {len(settings.routes)} routes, all right")
        return

    def announce(url: str) -> None:
        click.echo(_banner(url, settings), err=True)

    try:
        _server()(
            settings,
            host=host,
            port=port,
            workers=workers,
            access_log=access_log,
            announce=announce,
        )
    except OSError as error:
        cannot_listen(host, port, error)


def _settings(
    upstream: str | None, apis: tuple[str, ...], key_variable: str | None, config: Path | None, *, forward_key: bool
) -> RelaySettings:
    if (upstream is None) == (config is None):
        raise click.UsageError("give either --upstream or --config")
    if config is not None:
        if apis or key_variable or forward_key:
            raise click.UsageError("--api, --key-variable and --forward-key go with --upstream; a file has its own")
        return read_config(config)
    assert upstream is not None
    target = TargetSettings(base_url=upstream, api=apis, key_variable=key_variable, forward_key=forward_key)
    return RelaySettings(targets={"upstream": target})


def _server() -> Callable[..., None]:
    """Return what serves; the adapter needs an extra."""
    for found in entry_points(group="streamarena.adapters", name="uvicorn"):
        try:
            serve: Callable[..., None] = found.load()
        except ImportError as error:
            raise MissingExtraError("uvicorn", "asgi", "streamarena serve") from error
        return serve
    raise ConfigurationError("the adapter for uvicorn is not installed; install this distribution again")


def _banner(url: str, settings: RelaySettings) -> str:
    targets = ", ".join(f"{name} ({target.base_url})" for name, target in settings.targets.items())
    page = (f"  page             {url}/_streamarena",) if settings.page.enabled else ()
    return "\n".join(
        (
            url,
            f"  relays to        {targets}",
            f'  OpenAI SDK       base_url="{url}/v1"',
            f'  Anthropic SDK    base_url="{url}"',
            f"  health, metrics  {url}/healthz, {url}/metrics",
            *page,
        )
    )
