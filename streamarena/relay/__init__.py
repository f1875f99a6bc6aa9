"""The relay and the working parts of the ASGI middleware (floor 3)."""

from __future__ import annotations

from streamarena.relay.access_log import AccessLog
from streamarena.relay.app import Relay
from streamarena.relay.config_file import read_config
from streamarena.relay.observing import (
    ExchangeFinished,
    ExchangeMoment,
    ExchangeObserver,
    FirstContentSent,
    ResponseStarted,
)
from streamarena.relay.operations import Metrics, find_metrics
from streamarena.relay.settings import (
    AccessSettings,
    ChoiceSettings,
    RelayLimits,
    RelaySettings,
    RetrySettings,
    RouteSettings,
    TargetSettings,
)
from streamarena.relay.status.page import PageSettings

__all__ = [
    "Relay",
    "RelaySettings",
    "TargetSettings",
    "RouteSettings",
    "ChoiceSettings",
    "RetrySettings",
    "RelayLimits",
    "AccessSettings",
    "PageSettings",
    "AccessLog",
    "ExchangeObserver",
    "ExchangeMoment",
    "ResponseStarted",
    "FirstContentSent",
    "ExchangeFinished",
    "Metrics",
    "find_metrics",
    "read_config",
]
