"""Errors of streams and pipelines: something that serves one consumer or one run was asked to serve a second one."""

from __future__ import annotations

from streamarena.errors._base import StreamArenaError


class StreamInUseError(StreamArenaError, RuntimeError):
    """A second task pulled at a stream while another one waited for it. The first one is not disturbed."""

    def __init__(self) -> None:
        super().__init__("another task is waiting for this stream; it has one consumer at a time")


class StageInUseError(StreamArenaError):
    """A stage object with memory was put to use in a second run while the first one lasts.

    Attributes:
        stage: the name of the object's class.
    """

    def __init__(self, stage: str) -> None:
        super().__init__(
            f"this {stage} serves another run of a pipeline; pass the class, or stateful(factory), "
            "so that each run makes one of its own"
        )
        self.stage = stage
