"""The TLS layer alone: both ends in memory, every byte under the test's control."""

from __future__ import annotations

import asyncio
import gc
import ssl

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamarena.client.connector import default_ssl_context
from streamarena.client.receive_buffer import ReceiveBuffer
from streamarena.client.tls import ANSWER_BYTES, SLICE_BYTES, TLSTransport
from streamarena.errors import ProtocolError
from streamarena.memory import BufferPool
from streamarena.testing import LocalCertificates
from tests.support.openssl_peer import MemoryPeer, OpenSSLPeer

VERSIONS = {"tls1.2": ssl.TLSVersion.TLSv1_2, "tls1.3": ssl.TLSVersion.TLSv1_3}


@pytest.fixture(scope="module")
def certificates():
    return LocalCertificates("localhost")


@pytest.fixture(params=VERSIONS.values(), ids=list(VERSIONS))
def version(request):
    return request.param


class Wire:
    """A plain transport that keeps what is written; with `stuck` the other side reads nothing of it."""

    def __init__(self):
        self.written = bytearray()
        self.sent = 0
        self.stuck = self.closed = self.aborted = False

    def write(self, data):
        self.written += data
        self.sent += len(data)

    def get_write_buffer_size(self):
        return len(self.written) if self.stuck else 0

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True

    def abort(self):
        self.closed = self.aborted = True

    def get_extra_info(self, name, default=None):
        return default


class Above(asyncio.BufferedProtocol):
    """Keeps what is delivered, in its pieces."""

    def __init__(self, room=65536):
        self._buffer = bytearray(room)
        self.transport = None
        self.pieces = []
        self.on_delivery = lambda: None
        self.eof = False
        self.lost = []

    @property
    def received(self):
        return b"".join(self.pieces)

    def connection_made(self, transport):
        self.transport = transport

    def get_buffer(self, sizehint):
        return memoryview(self._buffer)

    def buffer_updated(self, nbytes):
        self.pieces.append(bytes(self._buffer[:nbytes]))
        self.on_delivery()

    def eof_received(self):
        self.eof = True

    def connection_lost(self, exc):
        self.lost.append(exc)


class Pair:
    """A TLSTransport and its peer."""

    def __init__(self, peer, context, *, room=65536, **options):
        self.peer = peer
        self.wire = Wire()
        self.above = Above(room)
        self.buffer = ReceiveBuffer(BufferPool())
        self.tls = TLSTransport(self.above, context, "localhost", self.buffer, **options)
        self.tls.connection_made(self.wire)

    def feed(self, data, piece=65536):
        for start in range(0, len(data), piece):
            part = data[start : start + piece]
            self.tls.get_buffer(-1)[: len(part)] = part
            self.tls.buffer_updated(len(part))

    def to_peer(self):
        data = bytes(self.wire.written)
        self.wire.written.clear()
        self.peer.take(data)
        return data

    def shake_hands(self, piece=65536):
        for _ in range(10):
            self.to_peer()
            done = self.peer.shake_hands()
            self.feed(self.peer.give(), piece)
            if done and self.above.transport is not None:
                self.to_peer()
                return self
        raise AssertionError("no handshake")


def trusting(certificates):
    context = certificates.client_context()
    context.options |= default_ssl_context().options
    return context


@pytest.fixture
async def open_pair(certificates, version):
    """Make pairs whose handshake is done."""

    def make(**options):
        context = certificates.server_context()
        context.maximum_version = version
        return Pair(MemoryPeer(context), trusting(certificates), **options).shake_hands()

    return make


@pytest.fixture
async def openssl_pair(certificates, version, tmp_path):
    """A pair whose peer is driven by OpenSSL's C interface, the handshake done."""
    certificate, _ = certificates.write(tmp_path)
    try:
        peer = OpenSSLPeer(certificate, max_version=version)
    except (OSError, AttributeError) as error:
        pytest.skip(f"the interpreter's OpenSSL cannot be called: {error}")
    yield Pair(peer, trusting(certificates)).shake_hands()
    peer.close()


async def test_both_ways(open_pair):
    pair = open_pair()
    pair.above.transport.write(b"question")
    pair.to_peer()
    assert pair.peer.read() == b"question"
    pair.feed(pair.peer.write(b"answer"))
    assert pair.above.received == b"answer"


async def test_nothing_is_written_and_nobody_told_before_the_handshake_is_done(certificates):
    pair = Pair(MemoryPeer(certificates.server_context()), trusting(certificates))
    with pytest.raises(ProtocolError, match="before the TLS handshake"):
        pair.tls.write(b"secret")
    assert pair.above.transport is None
    waiting = asyncio.ensure_future(pair.tls.handshake())
    await asyncio.sleep(0)
    assert not waiting.done()
    pair.shake_hands()
    await waiting
    assert pair.above.transport is pair.tls


async def test_a_handshake_byte_by_byte(certificates, version):
    context = certificates.server_context()
    context.maximum_version = version
    pair = Pair(MemoryPeer(context), trusting(certificates)).shake_hands(piece=1)
    pair.feed(pair.peer.write(b"answer"), piece=1)
    assert pair.above.received == b"answer"


async def test_a_record_split_at_every_byte(open_pair):
    pair = open_pair()
    length = len(pair.peer.write(b"x" * 50))
    pair = open_pair()
    for place in range(1, length):
        record = pair.peer.write(b"%050d" % place)
        pair.feed(record[:place])
        assert len(pair.above.pieces) == place - 1
        pair.feed(record[place:])
        assert pair.above.pieces[-1] == b"%050d" % place


async def test_many_records_of_one_read_are_delivered_at_once(open_pair):
    pair = open_pair()
    pair.feed(b"".join(pair.peer.write(b"event %d " % number) for number in range(200)))
    assert pair.above.pieces == [b"".join(b"event %d " % number for number in range(200))]


async def test_openssl_is_fed_slices(open_pair):
    pair = open_pair()
    sizes = []
    incoming = pair.tls._incoming

    class Recording:
        pending = property(lambda self: incoming.pending)

        def write(self, data):
            assert not incoming.pending, "the last slice was not read to its end"
            sizes.append(len(data))
            incoming.write(data)

    pair.tls._incoming = Recording()
    data = bytes(range(256)) * 200
    pair.feed(pair.peer.write(data))
    assert pair.above.received == data
    assert max(sizes) == SLICE_BYTES


async def test_a_large_request_is_encrypted_in_slices(open_pair):
    pair = open_pair()
    data = bytes(range(256)) * 1000
    pair.above.transport.write(data)
    records, wire = [], bytes(pair.wire.written)
    while wire:
        size = int.from_bytes(wire[3:5], "big")
        records.append(size)
        wire = wire[5 + size :]
    assert max(records) <= SLICE_BYTES + 64
    pair.to_peer()
    assert pair.peer.read() == data


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 40_000), max_size=8), piece=st.integers(1, 65536), room=st.integers(1000, 65536))
def test_everything_arrives_however_it_is_cut(certificates, sizes, piece, room):
    async def scenario():
        pair = Pair(MemoryPeer(certificates.server_context()), trusting(certificates), room=room).shake_hands()
        sent = b"".join(bytes([number]) * size for number, size in enumerate(sizes))
        pair.feed(b"".join(pair.peer.write(bytes([number]) * size) for number, size in enumerate(sizes)), piece)
        assert pair.above.received == sent
        assert all(len(one) <= room for one in pair.above.pieces)

    asyncio.run(scenario())


async def test_the_write_buffer_is_let_go_once_and_silently(open_pair):
    pair = open_pair()
    writes = []
    write = pair.tls._ssl.write
    pair.tls._ssl.write = lambda data: (writes.append(bytes(data)), write(data))[1]
    sent = pair.wire.sent
    for _ in range(3):
        pair.feed(pair.peer.write(b"answer"))
    assert writes == [b""]
    assert pair.wire.sent == sent


# ---------------------------------------------------------------- ends


async def test_close_notify_is_an_end(open_pair):
    pair = open_pair()
    pair.feed(pair.peer.write(b"last words") + pair.peer.close_notify())
    assert pair.above.received == b"last words"
    assert pair.above.eof
    assert pair.tls.is_closing()
    pair.tls.connection_lost(None)
    assert pair.above.lost == [None]


async def test_an_end_without_close_notify_is_an_error(open_pair):
    pair = open_pair()
    pair.feed(pair.peer.write(b"last words"))
    assert pair.tls.eof_received() is False
    pair.tls.connection_lost(None)
    assert pair.above.received == b"last words"
    assert isinstance(pair.above.lost[0], ssl.SSLEOFError)


async def test_closing_says_so_and_has_a_deadline(open_pair):
    pair = open_pair(close_seconds=0.03)
    pair.tls.close()
    assert pair.to_peer(), "close_notify goes out"
    assert pair.peer.read() == b""
    assert pair.wire.closed
    assert not pair.wire.aborted
    await asyncio.sleep(0.1)  # nothing tells that the close_notify was sent
    assert pair.wire.aborted
    pair.tls.write(b"too late")
    assert pair.to_peer() == b""


async def test_an_orderly_close_stops_its_deadline(open_pair):
    pair = open_pair(close_seconds=0.03)
    pair.tls.close()
    pair.tls.connection_lost(None)
    await asyncio.sleep(0.1)
    assert not pair.wire.aborted


async def test_the_handshake_has_a_deadline(certificates):
    pair = Pair(MemoryPeer(certificates.server_context()), trusting(certificates), handshake_seconds=0.03)
    with pytest.raises(TimeoutError, match="handshake took longer"):
        await pair.tls.handshake()
    assert pair.wire.aborted


@pytest.mark.parametrize("times", [1, 2], ids=["cancel", "double-cancel"])
async def test_a_cancelled_handshake_closes_the_connection(certificates, times):
    pair = Pair(MemoryPeer(certificates.server_context()), trusting(certificates))
    waiting = asyncio.ensure_future(pair.tls.handshake())
    await asyncio.sleep(0)
    for _ in range(times):
        waiting.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert pair.wire.aborted
    pair.tls.connection_lost(None)


async def test_a_handshake_that_is_given_up_has_no_deadline_left(certificates, caplog):
    pair = Pair(MemoryPeer(certificates.server_context()), trusting(certificates), handshake_seconds=0.03)
    pair.tls.abort()
    await asyncio.sleep(0.1)
    assert not pair.tls._ready.done()
    pair.tls.connection_lost(OSError("gone"))
    del pair
    gc.collect()
    await asyncio.sleep(0)
    assert not caplog.records


async def test_a_connection_that_ends_within_the_handshake(certificates):
    pair = Pair(MemoryPeer(certificates.server_context()), trusting(certificates))
    pair.tls.eof_received()
    pair.tls.connection_lost(None)
    with pytest.raises(ssl.SSLEOFError):
        await pair.tls.handshake()
    assert pair.above.lost == []


async def test_garbage_instead_of_a_handshake(certificates):
    pair = Pair(MemoryPeer(certificates.server_context()), trusting(certificates))
    pair.feed(b"HTTP/1.1 400 this port speaks no TLS\r\n\r\n")
    with pytest.raises(ssl.SSLError):
        await pair.tls.handshake()
    assert pair.wire.aborted


async def test_an_untrusted_certificate_ends_the_handshake_with_an_alert(certificates):
    pair = Pair(MemoryPeer(certificates.server_context()), ssl.create_default_context())
    pair.to_peer()
    pair.peer.shake_hands()
    pair.feed(pair.peer.give())
    with pytest.raises(ssl.SSLCertVerificationError):
        await pair.tls.handshake()
    assert pair.above.transport is None
    assert pair.wire.aborted
    pair.to_peer()
    with pytest.raises(ssl.SSLError, match=r"(?i)alert unknown ca"):
        pair.peer.shake_hands()


async def test_what_came_before_a_corrupted_record_is_delivered_before_the_error(open_pair):
    pair = open_pair()
    good, bad = pair.peer.write(b"good"), bytearray(pair.peer.write(b"bad"))
    bad[-1] ^= 1
    pair.feed(good + bytes(bad) + pair.peer.write(b"behind"))
    assert pair.above.received == b"good"
    assert pair.wire.aborted
    assert pair.wire.written, "OpenSSL's alert goes out"
    pair.tls.connection_lost(None)
    assert isinstance(pair.above.lost[0], ssl.SSLError)


async def test_a_protocol_that_closes_inside_its_delivery(open_pair):
    pair = open_pair(room=1000)
    pair.above.on_delivery = pair.above.transport.abort
    pair.feed(pair.peer.write(b"x" * 5000) + pair.peer.close_notify())
    assert pair.above.pieces == [b"x" * 1000]
    assert not pair.above.eof


# ---------------------------------------------------------------- key updates and renegotiation


@pytest.mark.parametrize("version", [VERSIONS["tls1.3"]], ids=["tls1.3"])
async def test_a_hundred_key_updates(openssl_pair):
    peer, expected = openssl_pair.peer, b""
    for number in range(100):
        openssl_pair.feed(peer.update_keys(ask=number % 2 == 0) + peer.write(b"%d," % number))
        expected += b"%d," % number
        openssl_pair.to_peer()
        openssl_pair.above.transport.write(b"ack")
        openssl_pair.to_peer()
        assert peer.read() == b"ack"
    assert openssl_pair.above.received == expected


@pytest.mark.parametrize("version", [VERSIONS["tls1.3"]], ids=["tls1.3"])
async def test_key_updates_of_one_read(openssl_pair):
    peer = openssl_pair.peer
    openssl_pair.feed(b"".join(peer.update_keys(ask=False) + peer.write(b"x") for _ in range(100)))
    assert openssl_pair.above.pieces == [b"x" * 100]


@pytest.mark.parametrize("version", [VERSIONS["tls1.3"]], ids=["tls1.3"])
async def test_an_answer_goes_out_before_the_delivery(openssl_pair):
    sent_at_delivery = []
    openssl_pair.above.on_delivery = lambda: sent_at_delivery.append(len(openssl_pair.wire.written))
    # OpenSSL answers one with the next that it reads, so that there are two.
    peer = openssl_pair.peer
    openssl_pair.feed(peer.update_keys(ask=True) + peer.update_keys(ask=True) + peer.write(b"x"))
    assert sent_at_delivery[0] > 0
    assert sent_at_delivery == [len(openssl_pair.wire.written)]


async def test_a_peer_that_does_not_read_the_answers_is_dropped(openssl_pair, version):
    openssl_pair.wire.stuck = True
    ask = (
        (lambda: openssl_pair.peer.update_keys(ask=True))
        if version == ssl.TLSVersion.TLSv1_3
        else openssl_pair.peer.ask_for_renegotiation
    )
    for _ in range(ANSWER_BYTES // 20):
        openssl_pair.feed(ask())
        if openssl_pair.wire.aborted:
            break
    assert openssl_pair.wire.aborted
    openssl_pair.tls.connection_lost(None)
    assert isinstance(openssl_pair.above.lost[0], ProtocolError)
    assert len(openssl_pair.wire.written) <= ANSWER_BYTES


@pytest.mark.parametrize("version", [VERSIONS["tls1.2"]], ids=["tls1.2"])
async def test_a_renegotiation_is_refused(openssl_pair):
    request = openssl_pair.peer.ask_for_renegotiation()
    assert request
    openssl_pair.feed(request)
    answer = openssl_pair.to_peer()
    assert answer[0] == 21, "an alert, no handshake"  # RFC 5246, section 6.2.1: content types
    openssl_pair.above.transport.write(b"still here")
    openssl_pair.to_peer()
    openssl_pair.peer.shake_hands()
    assert not openssl_pair.wire.aborted
