"""What tests of streaming code need: a fake model server, cassettes, a chaos proxy, a pytest plug-in (floor 3).

The names below are imported when they are first used (PEP 562): pytest loads the plug-in at every start, also in
projects that do not use it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streamarena.testing.cassette import Cassette, CassetteWriter, Exchange, Piece
    from streamarena.testing.certificates import LocalCertificates
    from streamarena.testing.chaos import ChaosProxy
    from streamarena.testing.chaos_rules import ChaosRule, parse_rule
    from streamarena.testing.distributions import Distribution, DistributionLike, parse_distribution
    from streamarena.testing.fake_llm import FakeLLM, Responder
    from streamarena.testing.faults import FAULTS, Fault, parse_fault
    from streamarena.testing.leaks import LeakCheck
    from streamarena.testing.model_requests import ModelRequest
    from streamarena.testing.process import FakeLLMProcess
    from streamarena.testing.recorder import CassetteRecorder
    from streamarena.testing.records import RequestRecord, ServerStatistics
    from streamarena.testing.replay import CassetteServer
    from streamarena.testing.settings import FakeLLMOptions, ReplyOptions, ReplySettings, reply_settings
    from streamarena.testing.threads import ServerThread

__all__ = [
    "FakeLLM",
    "FakeLLMOptions",
    "FakeLLMProcess",
    "ServerThread",
    "LocalCertificates",
    "ReplyOptions",
    "ReplySettings",
    "reply_settings",
    "Responder",
    "ModelRequest",
    "Fault",
    "FAULTS",
    "parse_fault",
    "Distribution",
    "DistributionLike",
    "parse_distribution",
    "RequestRecord",
    "ServerStatistics",
    "Cassette",
    "CassetteRecorder",
    "CassetteServer",
    "CassetteWriter",
    "Exchange",
    "Piece",
    "ChaosProxy",
    "ChaosRule",
    "parse_rule",
    "LeakCheck",
]

_MODULES: Final[dict[str, tuple[str, ...]]] = {
    "cassette": ("Cassette", "CassetteWriter", "Exchange", "Piece"),
    "certificates": ("LocalCertificates",),
    "chaos": ("ChaosProxy",),
    "chaos_rules": ("ChaosRule", "parse_rule"),
    "distributions": ("Distribution", "DistributionLike", "parse_distribution"),
    "fake_llm": ("FakeLLM", "Responder"),
    "faults": ("FAULTS", "Fault", "parse_fault"),
    "leaks": ("LeakCheck",),
    "model_requests": ("ModelRequest",),
    "process": ("FakeLLMProcess",),
    "recorder": ("CassetteRecorder",),
    "records": ("RequestRecord", "ServerStatistics"),
    "replay": ("CassetteServer",),
    "settings": ("FakeLLMOptions", "ReplyOptions", "ReplySettings", "reply_settings"),
    "threads": ("ServerThread",),
}
_MODULE_OF: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value
