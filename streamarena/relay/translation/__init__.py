"""Requests and replies from one wire API to another (OpenAI chat and Responses, Anthropic messages)."""

from __future__ import annotations

from streamarena.relay.translation.replies import ReplyTranslator
from streamarena.relay.translation.requests import TranslatedRequest, translate_request

__all__ = ["ReplyTranslator", "TranslatedRequest", "translate_request"]
