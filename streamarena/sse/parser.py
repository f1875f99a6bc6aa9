"""The parser and event classes in use: the compiled twins where they are built, the Python reference otherwise.

Decided once, when this module is imported; `streamarena doctor` says which. Type checkers see the reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamarena import _native
from streamarena.sse._event_py import ServerSentEvent
from streamarena.sse._parser_py import SSEParser

__all__ = ["SSEParser", "ServerSentEvent"]

if not TYPE_CHECKING:
    _twin = _native.load(__name__)
    if _twin is not None:
        SSEParser, ServerSentEvent = _twin.SSEParser, _twin.ServerSentEvent
