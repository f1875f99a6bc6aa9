"""Errors that a model's provider, or the model itself, has answered with."""

from __future__ import annotations

from streamarena.errors._base import StreamArenaError


class ProviderError(StreamArenaError):
    """The provider answered with an error, before or in the middle of a stream.

    Attributes:
        status: HTTP status, or None for an error inside a stream; code, type: the provider's own names for it;
        body: the start of what was received; headers: response headers, lower-cased names, without secrets.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - the providers' own name for this field
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"HTTP {status}: {message}" if status is not None else message)
        self.message = message
        self.status = status
        self.code = code
        self.type = type
        self.body = body
        self.headers = headers or {}


class UnexpectedContentError(ProviderError):
    """A success status whose body is not a stream of the expected kind."""


class DecodeError(ProviderError):
    """An event whose shape no decoder knows, not even the tolerant one."""


class ToolCallError(StreamArenaError):
    """A model's tool call that must not be run: its arguments are not JSON, not an object, or lack something.

    Attributes:
        tool: the tool's name; arguments: their text as it came; missing: required members that are not there.
    """

    def __init__(self, tool: str, reason: str, arguments: str, missing: tuple[str, ...] = ()) -> None:
        super().__init__(f"the call of {tool!r} cannot be run: {reason}")
        self.tool = tool
        self.arguments = arguments
        self.missing = missing
