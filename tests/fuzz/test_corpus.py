"""Every input that a fuzzer found worth keeping still satisfies the invariant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import sse_agreement

CORPUS = sorted((Path(__file__).parent / "corpus" / "sse").iterdir())


def test_there_is_a_corpus():
    assert len(CORPUS) >= 100


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_both_parsers_agree(path):
    sse_agreement.check(path.read_bytes())


def test_the_check_can_fail(monkeypatch):
    """A parser that loses a byte at a cut is found out."""
    python = sse_agreement.PYTHON

    class Forgetful(python.SSEParser):
        def feed(self, data):
            return super().feed(data[:-1] if len(data) == 3 else data)

    broken = type("Broken", (), {"name": "broken", "SSEParser": Forgetful})
    monkeypatch.setattr(sse_agreement, "IMPLEMENTATIONS", [broken])
    with pytest.raises(AssertionError):
        sse_agreement.check(b"\0\x02data: abcdefgh\n\ndata: ijklmnop\n\n")
