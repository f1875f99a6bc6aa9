"""Who may call: tokens that callers send where their API has its key.

Invariants: every comparison takes the same time, whatever is wrong; a token is in no repr, no error and no log, and
never goes on to an upstream (`fields.py`).
Not here: TLS, and who may reach the address at all.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from streamarena.errors import ConfigurationError, RequestRefusedError
from streamarena.relay.fields import caller_key

if TYPE_CHECKING:
    from streamarena.relay.asgi import Headers
    from streamarena.relay.settings import AccessSettings

__all__ = ["Access"]


class Access:
    """Checks callers.

    Args:
        settings: which environment variable has the tokens.
        environment: where it is.

    Raises:
        ConfigurationError: the variable is not set, or holds no token.
    """

    def __init__(self, settings: AccessSettings, environment: Mapping[str, str]) -> None:
        self._tokens: tuple[bytes, ...] | None = None
        variable = settings.tokens_variable
        if variable is None:
            return
        tokens = re.split(r"[,\s]+", environment.get(variable, "").strip(", \t\r\n"))
        if tokens == [""]:
            raise ConfigurationError(f"access: the environment variable {variable} is not set")
        self._tokens = tuple(token.encode("utf-8") for token in tokens)

    def __repr__(self) -> str:
        return "Access(everybody)" if self._tokens is None else f"Access({len(self._tokens)} tokens)"

    def check(self, headers: Headers) -> None:
        """Let a caller in.

        Raises:
            RequestRefusedError: status 401.
        """
        if self._tokens is None:
            return
        given = (caller_key(headers) or "").encode("utf-8")
        # Every token is compared, so that the time tells nothing of which one came near.
        if not any(hmac.compare_digest(given, token) for token in self._tokens):
            raise RequestRefusedError(401, "wrong or missing key")
