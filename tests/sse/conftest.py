"""Every test that asks for `implementation` runs on the Python parser and on the compiled one."""

from __future__ import annotations

import pytest

from tests.sse.implementations import BOTH


@pytest.fixture(params=BOTH)
def implementation(request):
    return request.param
