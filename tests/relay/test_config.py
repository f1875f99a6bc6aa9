"""A relay's configuration file: what it says is what the relay gets, and what is wrong is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamarena.errors import ConfigFileError, ConfigurationError
from streamarena.relay.config_file import read_config
from streamarena.relay.settings import ChoiceSettings, RelaySettings, TargetSettings

WHOLE = """
shutdown_seconds = 5

[targets.local]
base_url = "http://127.0.0.1:8000/v1"
api = ["openai-chat", "openai-responses"]
requests = 64

[targets.claude]
base_url = "https://api.anthropic.com/v1"
api = "anthropic"
key_variable = "ANTHROPIC_API_KEY"
headers = { x-team = "blue" }
weight = 3

[[routes]]
models = ["gpt-*", "local"]
targets = ["local", { target = "claude", model = "claude-sonnet-4-5" }]
fallbacks = ["claude"]

[routes.retry]
attempts = 2

[[routes]]
models = "*"
targets = "local"

[limits]
requests = 10
[timeouts]
idle = 0
connect = 3
[disconnect]
mode = "drain"
"""


def _read(tmp_path, text):
    (tmp_path / "relay.toml").write_text(text, "utf-8")
    return read_config(tmp_path / "relay.toml")


def test_a_whole_file_is_read_as_it_says(tmp_path):
    settings = _read(tmp_path, WHOLE)
    assert settings.targets["local"].apis == ("openai-chat", "openai-responses")
    assert settings.targets["claude"].headers == {"x-team": "blue"}
    assert settings.targets["claude"].weight == 3
    first, second = settings.routes
    assert first.targets == ("local", ChoiceSettings(target="claude", model="claude-sonnet-4-5"))
    assert first.fallbacks == ("claude",)
    assert first.retry.attempts == 2
    assert second.retry.attempts == 1
    assert settings.limits.requests == 10
    assert settings.timeouts.idle is None  # 0 is how a file says "no limit"
    assert settings.timeouts.connect == 3
    assert settings.timeouts.total is None
    assert settings.disconnect.mode == "drain"
    assert settings.shutdown_seconds == 5


TARGET = '[targets.a]\nbase_url = "http://127.0.0.1/v1"\n'

WRONG = {
    "no TOML": (f"{TARGET}weight = = 3\n", 3, "Invalid value"),
    "cut short": (f'{TARGET}api = "', 3, ""),
    "unknown table": (f"{TARGET}\n[limit]\nrequests = 1\n", 4, "did you mean 'limits'"),
    "unknown key of a target": (f'{TARGET}api_key = "x"\n', 3, "no key 'api_key'"),
    "unknown key of the second target": (f'{TARGET}[targets.b]\nbase_ur = "x"\n', 4, "did you mean 'base_url'"),
    "unknown key in an inline table": (f"timeouts = {{ idel = 3 }}\n{TARGET}", 1, "did you mean 'idle'"),
    "unknown key of the second route": (
        f'{TARGET}[[routes]]\nmodels = "a"\ntargets = "a"\n[[routes]]\nmodel = "b"\n',
        7,
        "did you mean 'models'",
    ),
    "unknown key of a retry": (
        f'{TARGET}[[routes]]\nmodels = "a"\ntargets = "a"\n[routes.retry]\nattempt = 2\n',
        7,
        "did you mean 'attempts'",
    ),
    "a target that is not there": (
        f'{TARGET}[[routes]]\nmodels = "*"\ntargets = ["a", "bb"]\n',
        5,
        "there is no target 'bb'",
    ),
    "a fallback that is not there": (
        f'{TARGET}[[routes]]\nmodels = "*"\ntargets = "a"\nfallbacks = ["c"]\n',
        6,
        "there is no target 'c'",
    ),
    "a type": (f'{TARGET}weight = "heavy"\n', 3, "weight: Expected `float`"),
    "a value": (f"{TARGET}weight = 0\n", 3, "weight: must be positive"),
    "a limit": (f"{TARGET}[limits]\nwaiting = 3\nrequests = 0\n", 5, "requests: must be at least 1"),
    "a timeout": (f"{TARGET}[timeouts]\nidle = -1\n", 4, "Timeouts.idle must be"),
    "a policy": (f'{TARGET}[disconnect]\nmode = "wait"\n', 4, "mode: Invalid enum value"),
    "an API": (f'{TARGET}api = "gemini"\n', 3, "the relay speaks"),
    "an API that nobody knows": (f'{TARGET}api = "smoke-signals"\n', 3, "smoke-signals"),
    "both keys": (f'{TARGET}key_variable = "K"\nforward_key = true\n', 4, "either"),
    "no target": ("[limits]\nrequests = 3\n", 1, "at least one"),
    "a target that is no table": ("targets = { a = 3 }\n", 1, "must be a table"),
    "targets that are no table": ("targets = 3\n", 1, "[targets.NAME]"),
    "a missing address": ("[targets.a]\nweight = 3\n", 1, "base_url"),
    "a route without models": (f'{TARGET}[[routes]]\ntargets = "a"\n', 3, "models"),
    "a shutdown that is no number": (f'shutdown_seconds = "soon"\n{TARGET}', 1, "Expected `float`"),
    "no UTF-8": (f"{TARGET}# \udcff\n", 3, "UTF-8"),
}


@pytest.mark.parametrize(("text", "line", "problem"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_with_its_line(tmp_path, text, line, problem):
    path = tmp_path / "relay.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigFileError) as caught:
        read_config(path)
    assert caught.value.line == line
    assert problem in str(caught.value)
    assert str(caught.value).startswith(f"{path}:{line}: ")


def test_the_file_in_the_documentation_is_read(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "relay.md").read_text("utf-8")
    settings = _read(tmp_path, page.partition("```toml\n")[2].partition("```")[0])
    assert list(settings.targets) == ["local", "claude"]
    assert settings.routes[0].retry.attempts == 2
    assert settings.access.tokens_variable == "RELAY_TOKENS"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigFileError, match=r"none\.toml: cannot be read"):
        read_config(tmp_path / "none.toml")


def test_a_relay_without_targets_makes_no_sense():
    with pytest.raises(ConfigurationError, match="at least one"):
        RelaySettings(targets={})


def test_settings_show_no_secret():
    shown = repr(TargetSettings(base_url="http://h/v1", key_variable="SECRET_NAME"))
    assert "SECRET_NAME" in shown  # the name of a variable is none
