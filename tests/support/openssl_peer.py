"""Servers' ends of TLS connections in memory: the standard library's, and OpenSSL by its C interface.

The second can do what the `ssl` module does not offer: update keys and ask for a renegotiation. It uses the OpenSSL
that the interpreter's own `_ssl` is linked with, through public functions only.
"""

from __future__ import annotations

import contextlib
import ctypes
import ssl
from pathlib import Path

_POINTERS = ("TLS_server_method", "SSL_CTX_new", "SSL_new", "BIO_new", "BIO_s_mem")
_SET_MAX_VERSION = 124  # SSL_CTRL_SET_MAX_PROTO_VERSION


class MemoryPeer:
    """A server's end of one connection, by the `ssl` module."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def take(self, data: bytes) -> None:
        """Take ciphertext."""
        self._incoming.write(data)

    def give(self) -> bytes:
        """Return the ciphertext that is to be sent."""
        return self._outgoing.read()

    def shake_hands(self) -> bool:
        """Go on with the handshake; return whether it is done."""
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def write(self, data: bytes) -> bytes:
        """Encrypt; return all the ciphertext there is to send."""
        while data:
            data = data[self._ssl.write(data) :]
        return self.give()

    def read(self) -> bytes:
        """Return what can be decrypted; empty at close_notify."""
        found = b""
        try:
            while piece := self._ssl.read(65536):
                found += piece
        except ssl.SSLWantReadError:
            pass
        return found

    def close_notify(self) -> bytes:
        """Announce the end."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._ssl.unwrap()
        return self.give()


class OpenSSLPeer:
    """A server's end of one connection, by OpenSSL's C interface.

    Raises:
        OSError, AttributeError: this interpreter's OpenSSL cannot be reached.
    """

    def __init__(self, certificate: Path, *, max_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> None:
        import _ssl

        library = ctypes.CDLL(_ssl.__file__)
        for name in _POINTERS:
            getattr(library, name).restype = ctypes.c_void_p
        self._library = library
        name = str(certificate).encode()
        self._context = ctypes.c_void_p(library.SSL_CTX_new(ctypes.c_void_p(library.TLS_server_method())))
        assert library.SSL_CTX_use_certificate_chain_file(self._context, name) == 1
        assert library.SSL_CTX_use_PrivateKey_file(self._context, name, 1) == 1
        library.SSL_CTX_ctrl(self._context, _SET_MAX_VERSION, ctypes.c_long(int(max_version)), None)
        self._ssl = ctypes.c_void_p(library.SSL_new(self._context))
        memory = ctypes.c_void_p(library.BIO_s_mem())
        self._incoming = ctypes.c_void_p(library.BIO_new(memory))
        self._outgoing = ctypes.c_void_p(library.BIO_new(memory))
        library.SSL_set_bio(self._ssl, self._incoming, self._outgoing)
        library.SSL_set_accept_state(self._ssl)

    def close(self) -> None:
        """Free it."""
        self._library.SSL_free(self._ssl)
        self._library.SSL_CTX_free(self._context)

    def take(self, data: bytes) -> None:
        """Take ciphertext."""
        assert not data or self._library.BIO_write(self._incoming, data, len(data)) == len(data)

    def give(self) -> bytes:
        """Return the ciphertext that is to be sent."""
        return self._everything(self._library.BIO_read, self._outgoing)

    def shake_hands(self) -> bool:
        """Go on with the handshake; return whether it is done."""
        done = self._library.SSL_do_handshake(self._ssl) == 1
        self._library.ERR_clear_error()
        return done

    def write(self, data: bytes) -> bytes:
        """Encrypt; return all the ciphertext there is to send."""
        assert self._library.SSL_write(self._ssl, data, len(data)) == len(data)
        return self.give()

    def read(self) -> bytes:
        """Return what can be decrypted."""
        found = self._everything(self._library.SSL_read, self._ssl)
        self._library.ERR_clear_error()
        return found

    def update_keys(self, *, ask: bool) -> bytes:
        """Update the keys, asking the other side to do so as well if told to; return the ciphertext."""
        assert self._library.SSL_key_update(self._ssl, int(ask)) == 1
        self.shake_hands()
        return self.give()

    def ask_for_renegotiation(self) -> bytes:
        """Ask for a new handshake (TLS 1.2); return the ciphertext."""
        self._library.SSL_renegotiate(self._ssl)
        self.shake_hands()
        return self.give()

    def _everything(self, function: object, source: ctypes.c_void_p) -> bytes:
        found, room = b"", ctypes.create_string_buffer(65536)
        while (count := function(source, room, len(room))) > 0:
            found += room.raw[:count]
        return found
