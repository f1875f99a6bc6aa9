"""A certificate authority that lives as long as a test, and a certificate for loopback.

Invariants: the authority's key never leaves the process; private keys are written to disk only where `write` says.
Cost: the import of `cryptography` and two elliptic-curve keys, some 100 ms once.
Not here: any certificate that a browser would trust. Needs the extra `testing` (trustme).
"""

from __future__ import annotations

import ssl
from pathlib import Path

from streamarena.errors import MissingExtraError

__all__ = ["LocalCertificates"]


class LocalCertificates:
    """An authority and a server certificate for `names`.

    Args:
        names: host names and addresses the certificate is good for.

    Raises:
        MissingExtraError: trustme is not installed.
    """

    def __init__(self, *names: str) -> None:
        try:
            import trustme  # noqa: PLC0415 - optional, and heavy
        except ImportError:
            raise MissingExtraError("trustme", "testing", "a certificate for loopback") from None
        authority = trustme.CA()
        self._leaf = authority.issue_cert(*(names or ("localhost", "127.0.0.1", "::1")))
        self.authority_pem: bytes = authority.cert_pem.bytes()

    def server_context(self) -> ssl.SSLContext:
        """Return a context that serves the certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._leaf.configure_cert(context)  # pyright: ignore[reportUnknownMemberType] - trustme also takes pyOpenSSL's
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return a context that trusts this authority and nobody else, host names checked."""
        return ssl.create_default_context(cadata=self.authority_pem.decode("ascii"))

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write `server.pem` (key and chain, readable by the owner only) and `authority.pem`; return both paths."""
        server, authority = folder / "server.pem", folder / "authority.pem"
        server.touch(mode=0o600)
        server.write_bytes(self._leaf.private_key_and_cert_chain_pem.bytes())
        authority.write_bytes(self.authority_pem)
        return server, authority
