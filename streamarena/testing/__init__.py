"""What tests of streaming code need: a fake model server, cassettes, a chaos proxy (floor 3)."""

from __future__ import annotations

from streamarena.testing.certificates import LocalCertificates
from streamarena.testing.chaos import ChaosProxy
from streamarena.testing.chaos_rules import ChaosRule, parse_rule
from streamarena.testing.distributions import Distribution, DistributionLike, parse_distribution
from streamarena.testing.fake_llm import FakeLLM
from streamarena.testing.faults import FAULTS, Fault, parse_fault
from streamarena.testing.model_requests import ModelRequest
from streamarena.testing.process import FakeLLMProcess
from streamarena.testing.records import RequestRecord, ServerStatistics
from streamarena.testing.settings import FakeLLMOptions, ReplyOptions, ReplySettings, reply_settings

__all__ = [
    "FakeLLM",
    "FakeLLMOptions",
    "FakeLLMProcess",
    "LocalCertificates",
    "ChaosProxy",
    "ChaosRule",
    "parse_rule",
    "ReplyOptions",
    "ReplySettings",
    "reply_settings",
    "ModelRequest",
    "Fault",
    "FAULTS",
    "parse_fault",
    "Distribution",
    "DistributionLike",
    "parse_distribution",
    "RequestRecord",
    "ServerStatistics",
]
