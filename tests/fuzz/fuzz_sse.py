"""Whatever the bytes and however they are cut, both event parsers agree: the invariant, for atheris to break.

    pip install atheris
    python tests/fuzz/fuzz_sse.py -max_total_time=300 tests/fuzz/corpus/sse

atheris is not needed for the tests: `test_corpus.py` replays every input that was ever worth keeping.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))

with atheris.instrument_imports(include=["streamarena.sse"]):
    from tests.fuzz import sse_agreement

if __name__ == "__main__":
    atheris.Setup(sys.argv, sse_agreement.check)
    atheris.Fuzz()
