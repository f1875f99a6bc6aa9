"""Takes secrets out of what a cassette keeps, without changing the length of anything.

What is secret: the values of headers and query parameters that carry credentials; those same values wherever else they
turn up; texts that have the form of a known kind of key; JSON members with telling names.

Invariants: the same length in and out, so that content lengths and the places where pieces were cut stay true; a value
once learned is removed from everything that is passed in later.
Cost: one pass over the bytes for each pattern and each learned value, at recording time only.
Not here: personal data in prompts and answers, which a cassette holds as they were sent; secrets that a model spells
out over several events, since a body is searched as it is on the wire.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["Redactor", "SECRET_HEADERS"]

SECRET_HEADERS: Final = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-auth-token",
        "x-amz-security-token",
        "cookie",
        "set-cookie",
        "openai-organization",
        "openai-project",
        "anthropic-organization-id",
    }
)

_SECRET_PARAMETERS: Final = frozenset(
    {"key", "api_key", "api-key", "apikey", "access_token", "token", "sig", "signature", "x-amz-signature"}
)

# The published forms of the providers' keys, JSON web tokens, and whatever follows the word Bearer.
_FORMS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rb"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}",
        rb"\bAIza[A-Za-z0-9_-]{30,}",
        rb"\b(?:gsk|hf|xai|r8|ghp|gho|pat)_[A-Za-z0-9]{16,}",
        rb"\bxai-[A-Za-z0-9]{16,}",
        rb"\bAKIA[A-Z0-9]{16}\b",
        rb"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
        rb"(?<=Bearer )[A-Za-z0-9._~+/=-]{8,}",
    )
)
_MEMBERS: Final = re.compile(
    rb'"(?:api_?key|apiKey|password|passwd|secret|client_secret|access_token|refresh_token|authorization)"'
    rb'\s*:\s*"((?:[^"\\]|\\.)+)"',
    re.IGNORECASE,
)
# Shorter values would be found in innocent text.
_SHORTEST: Final = 6


class Redactor:
    """Learns secrets from requests and removes them.

    Args:
        *values: further secrets to remove wherever they turn up.
    """

    def __init__(self, *values: str) -> None:
        self._values: set[bytes] = set()
        for value in values:
            self._learn(value)

    def headers(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return headers with secret values starred, and learn those values."""
        kept: list[tuple[str, str]] = []
        for name, value in headers:
            if name.lower() in SECRET_HEADERS:
                for part in re.split(r"[\s;,]+", value):
                    self._learn(part.partition("=")[2] if "cookie" in name.lower() else part)
                kept.append((name, "*" * len(value)))
            else:
                kept.append((name, self.data(value.encode("latin-1")).decode("latin-1")))
        return kept

    def target(self, target: str) -> str:
        """Return a request target with secret parameters starred, and learn them."""
        for name, value in parse_qsl(urlsplit(target).query):
            if name.lower() in _SECRET_PARAMETERS:
                self._learn(value)
        # A value may stand in the target percent-encoded.
        starred = re.sub(
            r"(?<=[?&])([^=&]+)=([^&]*)",
            lambda found: (
                f"{found[1]}={'*' * len(found[2])}" if unquote(found[1]).lower() in _SECRET_PARAMETERS else found[0]
            ),
            target,
        )
        return self.data(starred.encode("latin-1")).decode("latin-1")

    def data(self, data: bytes) -> bytes:
        """Return bytes of the same length without secrets."""
        for value in self._values:
            if value in data:
                data = data.replace(value, b"*" * len(value))
        for form in _FORMS:
            data = form.sub(lambda found: b"*" * len(found[0]), data)
        return _MEMBERS.sub(_star_member, data)

    def pieces(self, pieces: list[bytes]) -> list[bytes]:
        """Return pieces of the same lengths without secrets, also those that were cut in two."""
        whole = self.data(b"".join(pieces))
        kept: list[bytes] = []
        start = 0
        for piece in pieces:
            kept.append(whole[start : start + len(piece)])
            start += len(piece)
        return kept

    def _learn(self, value: str) -> None:
        if len(value) >= _SHORTEST and value.lower() not in {"bearer", "basic"}:
            self._values.add(value.encode("utf-8"))


def _star_member(found: re.Match[bytes]) -> bytes:
    start, end = found.start(1) - found.start(), found.end(1) - found.start()
    return found[0][:start] + b"*" * (end - start) + found[0][end:]
