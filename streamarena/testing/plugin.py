"""The pytest plug-in: fixtures `fake_llm`, `cassette`, `arena` and `no_leaks`, found by pytest through its entry point.

Invariants: loading it imports nothing but pytest, which is there already; a fixture imports what it needs when a test
asks for it. It changes no setting and watches no test that does not ask. The fixtures are plain ones, so they serve
synchronous tests and asynchronous ones under any runner; servers run on a loop in a thread of their own.
Not here: the parts themselves. Turn it off with `-p no:streamarena`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from streamarena.memory import Arena
    from streamarena.testing.fake_llm import FakeLLM
    from streamarena.testing.leaks import LeakCheck

__all__ = [
    "CassetteFixture",
    "MODES",
    "arena",
    "cassette",
    "fake_llm",
    "no_leaks",
    "pytest_addoption",
    "pytest_configure",
]

MODES: Final = ("replay", "record", "verify", "auto")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--cassettes` and the ini setting `cassettes`."""
    text = "what the cassette fixture does: replay (default), record, verify (replay, and check that all was asked for"
    text += " in order) or auto (record what is missing)"
    parser.getgroup("streamarena").addoption("--cassettes", choices=MODES, default=None, help=text)
    parser.addini("cassettes", "what the cassette fixture does unless --cassettes says else", default="replay")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks, so that `--strict-markers` knows them."""
    config.addinivalue_line("markers", "fake_llm(**options): options of the fake_llm fixture's server")
    config.addinivalue_line(
        "markers", "cassette(**options): delay, match_body, repeat, secrets of the cassette fixture"
    )


@pytest.fixture
def fake_llm(request: pytest.FixtureRequest) -> Iterator[FakeLLM]:
    """A fake model server on loopback that takes no time; `fake_llm.url` is its address.

    Options by mark: `@pytest.mark.fake_llm(tokens=20, fault="cut@5")`; see `FakeLLMOptions`. During a test,
    `fake_llm.settings` may be replaced, and `fake_llm.statistics` says what it did.
    """
    from streamarena.testing.fake_llm import FakeLLM  # noqa: PLC0415 - only tests that ask pay for it
    from streamarena.testing.threads import ServerThread  # noqa: PLC0415 - as above

    options: dict[str, Any] = {"ttft": 0, "inter_token_latency": 0, "tokens": 16}
    for mark in request.node.iter_markers("fake_llm"):
        options |= mark.kwargs
    with ServerThread(FakeLLM(**options)) as thread:
        yield thread.server


class CassetteFixture:
    """Call it with the real server's base URL to get the one to use: `base_url = cassette("https://api.openai.com")`.

    Attributes:
        path: of the test's cassette. mode: `replay`, `record`, `verify` or `auto`.
    """

    def __init__(self, path: Path, mode: str, options: dict[str, Any]) -> None:
        self.path = path
        self.mode = mode
        self._options = options
        self._ends: list[Callable[[], None]] = []

    def __call__(self, upstream: str) -> str:
        """Start recording `upstream`, or replaying what was recorded of it; return the base URL to use.

        Raises:
            CassetteError: replaying, and there is no cassette.
            RuntimeError: called twice; a cassette holds the exchanges with one server.
        """
        from streamarena.testing.recorder import CassetteRecorder  # noqa: PLC0415 - only tests that ask pay for it
        from streamarena.testing.replay import CassetteServer  # noqa: PLC0415 - as above
        from streamarena.testing.threads import ServerThread  # noqa: PLC0415 - as above

        if self._ends:
            raise RuntimeError("the cassette fixture serves one upstream a test")
        if self.mode == "record" or (self.mode == "auto" and not self.path.exists()):
            secrets = tuple(self._options.get("secrets", ()))
            recorder = ServerThread(CassetteRecorder(upstream, self.path, secrets=secrets))
            recorder.start()
            self._ends.append(recorder.close)
            return recorder.server.url
        verify = self.mode == "verify" or self._options.get("verify", False)
        options: dict[str, Any] = {**self._options, "verify": verify}
        player = ServerThread(CassetteServer(self.path, **options))
        player.start()
        self._ends.append(player.close)
        return player.server.url

    def close(self) -> None:
        """End the server; with `verify`, compare."""
        ends, self._ends = self._ends, []
        for end in ends:
            end()


@pytest.fixture
def cassette(request: pytest.FixtureRequest) -> Iterator[CassetteFixture]:
    """Recorded exchanges for this test, in `cassettes/<module>/<test>.jsonl` beside the test's file.

    Options by mark: `@pytest.mark.cassette(delay=1.0)`; see `CassetteServer`.
    """
    options: dict[str, Any] = {}
    for mark in request.node.iter_markers("cassette"):
        options |= mark.kwargs
    mode = request.config.getoption("--cassettes") or request.config.getini("cassettes")
    if mode not in MODES:
        raise pytest.UsageError(f"the ini setting cassettes must be one of {', '.join(MODES)}, not {mode!r}")
    name = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in request.node.name)
    path = Path(request.path)
    player = CassetteFixture(path.parent / "cassettes" / path.stem / f"{name}.jsonl", mode, options)
    try:
        yield player
    finally:
        player.close()


@pytest.fixture
def arena(request: pytest.FixtureRequest) -> Iterator[Arena]:
    """An open request scope, which `current_arena()` gives inside the test. Fails if something escaped from it."""
    from streamarena.memory import request_scope  # noqa: PLC0415 - only tests that ask pay for it

    with request_scope(label=request.node.name) as opened:
        yield opened
    statistics = opened.stats()
    if statistics.escaped or statistics.failed_releases:
        pytest.fail(
            f"{statistics.escaped} views outlived the scope, {statistics.failed_releases} releases failed",
            pytrace=False,
        )


@pytest.fixture
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves tasks, sockets, other descriptors, request scopes or pooled buffers behind.

    The check begins when all fixtures are set up and is the last thing the test does, inside its loop if it has one:
    only there can tasks be seen, and closing needs the loop's turns. What the fixtures hold does not count.
    """
    from streamarena.testing.leaks import LeakCheck  # noqa: PLC0415 - only tests that ask pay for it

    item = request.node
    function: Callable[..., Any] = item.obj
    item.obj = (_checked_coroutine if inspect.iscoroutinefunction(function) else _checked)(function, LeakCheck)
    yield
    item.obj = function


def _checked_coroutine(function: Callable[..., Any], check_type: type[LeakCheck]) -> Callable[..., Any]:
    """Wrap an asynchronous test."""

    @functools.wraps(function)
    async def checked(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - whatever the test takes
        check = check_type()
        await function(*args, **kwargs)
        _fail(await check.settle())

    return checked


def _checked(function: Callable[..., Any], check_type: type[LeakCheck]) -> Callable[..., Any]:
    """Wrap a synchronous test."""

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - whatever the test takes
        check = check_type()
        function(*args, **kwargs)
        _fail(check.settle_blocking())

    return checked


def _fail(leaks: list[str]) -> None:
    """Fail the test with a line for each leak."""
    if leaks:
        pytest.fail("left behind:\n  " + "\n  ".join(leaks), pytrace=False)
