"""TLS of our own: an `ssl.SSLObject` over two memory BIOs, between a plain transport and the protocol that it carries.

Downwards it is the protocol of a plain TCP transport, upwards a transport. All cryptography is OpenSSL's.

Invariants:
* Nothing is written for the protocol before the handshake is done: it hears `connection_made` only then.
* Ciphertext is read into the loop's shared buffer and decrypted into the buffer that the protocol lends: no connection
  has a buffer of its own. One read is one `buffer_updated` of the protocol, however many records it brought.
* In each read everything is decrypted first, then what OpenSSL has to say goes out, and only then the protocol is
  called: it may close the connection.
* What was decrypted before a broken record is delivered before the error.
* An end without `close_notify` is an error, for a cut and an end look alike without it (RFC 8446, section 6.1).
* The handshake and an orderly close have deadlines; a peer that makes OpenSSL answer (KeyUpdate, renegotiation) and
  does not read the answers is dropped.
Cost: BIOs never shrink, so they are fed slices of 4 KiB and stay that small. OpenSSL gives back its read buffer after
each record by itself, and its write buffer (16 kB) with the empty write at the first plaintext.
Not here: sessions are not resumed, for a resumed one skips the host name check. Certificates, trust and versions belong
to the `ssl.SSLContext`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any, Final, cast

from streamarena.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamarena.client.receive_buffer import ReceiveBuffer

__all__ = ["ANSWER_BYTES", "SLICE_BYTES", "TLSTransport"]

SLICE_BYTES: Final = 4 * 2**10
"""A memory BIO keeps the size of the largest piece it ever held; 4 KiB costs no more CPU than 16."""

ANSWER_BYTES: Final = 64 * 2**10
"""Unsent bytes of OpenSSL's own answers beyond which a peer that does not read them is dropped."""

_HANDSHAKE_SECONDS: Final = 60.0
_CLOSE_SECONDS: Final = 5.0


class TLSTransport(asyncio.Transport, asyncio.BufferedProtocol):
    """One encrypted connection, seen from the client.

    Hand it to `create_connection` as the protocol, then await `handshake`.

    Args:
        protocol: what is carried. It is called as by any transport; `connection_made` comes after the handshake.
        context: says what is trusted and checked.
        server_hostname: the name or address that the certificate must be good for.
        ciphertext: the loop's receive buffer. The protocol's must be another one.
        handshake_seconds, close_seconds: deadlines. Defaults 60 and 5.
    """

    __slots__ = (
        "_answered",
        "_ciphertext",
        "_close_seconds",
        "_closing",
        "_ended",
        "_error",
        "_handshake_seconds",
        "_incoming",
        "_loop",
        "_open",
        "_outgoing",
        "_protocol",
        "_read",
        "_ready",
        "_ssl",
        "_timer",
        "_transport",
        "_trimmed",
    )

    def __init__(
        self,
        protocol: asyncio.BufferedProtocol,
        context: ssl.SSLContext,
        server_hostname: str,
        ciphertext: ReceiveBuffer,
        *,
        handshake_seconds: float = _HANDSHAKE_SECONDS,
        close_seconds: float = _CLOSE_SECONDS,
    ) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._ciphertext = ciphertext
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        # The standard library reads into any buffer and then returns a count; its type stubs do not know.
        self._read = cast("Callable[[int, memoryview], int]", self._ssl.read)
        self._handshake_seconds = handshake_seconds
        self._close_seconds = close_seconds
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._error: Exception | None = None
        self._open = False  # the handshake is done
        self._closing = False
        self._ended = False  # the peer said close_notify
        self._trimmed = False
        self._answered = 0
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._ready.add_done_callback(_look_at)

    async def handshake(self) -> None:
        """Wait until the handshake is done; a failure or cancellation closes the connection.

        Raises:
            ssl.SSLError: TLS refused the peer, or the peer us.
            OSError: the connection broke.
            TimeoutError: the handshake's deadline passed.
        """
        try:
            await self._ready
        except BaseException:
            self.abort()
            raise

    # ------------------------------------------------------------ asyncio.Transport, for the protocol above

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Encrypt and send; after the connection's end it does nothing, as any transport.

        Raises:
            ProtocolError: the handshake is not done.
        """
        if not self._open:
            raise ProtocolError("a write before the TLS handshake was done")
        transport = self._transport
        if self._closing or transport is None:
            return
        view = memoryview(data)
        pieces: list[bytes] = []
        try:
            while view:
                view = view[self._ssl.write(view[:SLICE_BYTES]) :]
                pieces.append(self._outgoing.read())
        except ssl.SSLError as error:
            self._fail(error)
            return
        transport.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def close(self) -> None:
        """Say `close_notify` and close once it is sent, or at the deadline."""
        transport = self._transport
        if self._closing or transport is None:
            return
        self._closing = True
        if self._open:
            with contextlib.suppress(ssl.SSLError):  # "want read": the peer's own close_notify is not waited for
                self._ssl.unwrap()
            transport.write(self._outgoing.read())
        transport.close()
        self._watch(self._close_seconds, transport.abort)

    def abort(self) -> None:
        """Close at once; synchronous."""
        self._closing = True
        self._watch(None, None)
        if self._transport is not None:
            self._transport.abort()

    def is_closing(self) -> bool:
        """Whether the connection is closed or about to be."""
        return self._closing or self._transport is None or self._transport.is_closing()

    def pause_reading(self) -> None:
        """Stop reading. Nothing decrypted waits here, so nothing is delivered until `resume_reading`."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Return the encrypted bytes that wait for the kernel."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as asyncio's own
        """Return what asyncio's TLS transports tell ("ssl_object", "cipher", "peercert"), and the socket's."""
        if name == "ssl_object":
            return self._ssl
        if name == "cipher":
            return self._ssl.cipher()
        if name == "peercert":
            return self._ssl.getpeercert()
        return default if self._transport is None else self._transport.get_extra_info(name, default)

    # ------------------------------------------------------------ asyncio.BufferedProtocol, for the transport below

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports do not inherit from asyncio's
        self._watch(self._handshake_seconds, self._handshake_late)
        self._shake_hands()
        if self._error is not None:
            self._fail(self._error)
        else:
            self._transport.write(self._outgoing.read())

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the loop's receive buffer for one read of ciphertext."""
        del sizehint
        return self._ciphertext.view

    def buffer_updated(self, nbytes: int) -> None:
        """Decrypt what one read brought, send what OpenSSL answers, then deliver."""
        transport = self._transport
        if self._closing or transport is None:
            return
        view = self._ciphertext.view
        plaintext = cast("memoryview", self._protocol.get_buffer(-1))
        filled = 0
        for start in range(0, nbytes, SLICE_BYTES):
            self._incoming.write(view[start : min(start + SLICE_BYTES, nbytes)])
            if self._open or self._shake_hands():
                filled = self._decrypt(plaintext, filled)
            if self._is_over():
                break
        if filled and not self._closing:
            self._deliver(filled)
        elif self._outgoing.pending:
            self._answer(transport)
        if self._error is not None:
            self._fail(self._error)
        elif self._ended and not self._closing:
            self._protocol.eof_received()
            self.close()

    def eof_received(self) -> bool:
        """Take the end of the connection; one that was not announced is an error."""
        self._error = self._error or ssl.SSLEOFError(
            ssl.SSL_ERROR_EOF, "the peer closed without close_notify" if self._open else "closed during the handshake"
        )
        return False

    def pause_writing(self) -> None:
        """Hand on that the kernel takes no more."""
        if self._open:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Hand on that the kernel takes more."""
        if self._open:
            self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on the end, with the reason found here if there is one."""
        self._closing = True
        self._transport = None
        self._watch(None, None)
        error = self._error or exc
        if self._open:
            self._protocol.connection_lost(error)
        elif not self._ready.done():
            self._ready.set_exception(error or ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "closed during the handshake"))

    # ------------------------------------------------------------ private

    def _shake_hands(self) -> bool:
        """Go on with the handshake; return whether it is done."""
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            self._error = error
            return False
        self._watch(None, None)
        self._open = True
        self._protocol.connection_made(self)
        if not self._ready.done():
            self._ready.set_result(None)
        return True

    def _decrypt(self, plaintext: memoryview, filled: int) -> int:
        """Decrypt all that has come behind `filled`; return how many bytes await delivery now."""
        read, incoming, pending = self._read, self._incoming, self._ssl.pending
        room = len(plaintext)
        try:
            while True:
                count = read(room - filled, plaintext[filled:] if filled else plaintext)
                if not count:
                    self._ended = True  # close_notify
                    return filled
                filled += count
                if filled == room:
                    self._deliver(filled)
                    filled = 0
                    if self._closing:
                        return 0
                # A read that could give nothing would raise, which costs more than the two questions.
                if not incoming.pending and not pending():
                    return filled
        except ssl.SSLWantReadError:
            return filled
        except ssl.SSLError as error:
            self._error = error
            return filled

    def _is_over(self) -> bool:
        return self._closing or self._ended or self._error is not None

    def _deliver(self, nbytes: int) -> None:
        if not self._trimmed and not self._is_over():
            self._trimmed = True
            self._ssl.write(b"")  # no record of ours: OpenSSL lets its write buffer go
        if self._outgoing.pending and self._transport is not None:
            self._answer(self._transport)
        self._protocol.buffer_updated(nbytes)

    def _answer(self, transport: asyncio.Transport) -> None:
        """Send what OpenSSL itself has to say, unless the peer does not read it."""
        if not transport.get_write_buffer_size():
            self._answered = 0
        self._answered += self._outgoing.pending
        if self._open and self._answered > ANSWER_BYTES:
            self._error = self._error or ProtocolError("the peer asks for TLS answers and does not read them")
        else:
            transport.write(self._outgoing.read())

    def _fail(self, error: Exception) -> None:
        """Close at once; the protocol hears of `error` when the transport is closed, a waiting handshake now."""
        self._error = error
        if not self._open and not self._ready.done():
            self._ready.set_exception(error)
        self.abort()

    def _handshake_late(self) -> None:
        self._fail(TimeoutError(f"the TLS handshake took longer than {self._handshake_seconds:g} s"))

    def _watch(self, seconds: float | None, action: Callable[[], None] | None) -> None:
        """Set the one timer, or with None stop it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None and action is not None:
            self._timer = self._loop.call_later(seconds, action)


def _look_at(future: asyncio.Future[None]) -> None:
    """See the exception of a handshake that nobody waits for any more, so that no log tells of it."""
    if not future.cancelled():
        future.exception()
