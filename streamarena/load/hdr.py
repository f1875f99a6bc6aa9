"""HdrHistogram's own file form, for its many tools: the V2 encoding, and lines of an interval log.

Source: HdrHistogram's `AbstractHistogram.encodeIntoByteBuffer` (V2) and `HistogramLogWriter` (version 1.3): counts as
ZigZag LEB128 with runs of zeroes as negative numbers, deflated, base64. Our layout is theirs with three significant
digits and unit magnitude 0, so counts move over bucket by bucket and nothing is lost.
Not here: reading them back.
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamarena.histogram import Histogram

__all__ = ["encode_hdr", "hdr_log"]

_V2_COOKIE: Final = 0x1C849303 | 0x10
_V2_COMPRESSED: Final = 0x1C849304 | 0x10
_DIGITS: Final = 3
_HIGHEST: Final = 3_600_000_000_000
"""An hour in nanoseconds, the highest value that the header promises; longer ones raise it."""


def encode_hdr(histogram: Histogram) -> bytes:
    """Return a histogram in the compressed V2 encoding, base64; values are nanoseconds."""
    payload = bytearray()
    following = 0
    for bucket in sorted(histogram.counts):
        zeroes = bucket - following
        if zeroes:
            payload += _zigzag(-zeroes)
        payload += _zigzag(histogram.counts[bucket])
        following = bucket + 1
    highest = max(_HIGHEST, 2 * (histogram.maximum or 0))
    header = struct.pack(">iiiiqqd", _V2_COOKIE, len(payload), 0, _DIGITS, 1, highest, 1.0)
    compressed = zlib.compress(header + bytes(payload))
    return base64.b64encode(struct.pack(">ii", _V2_COMPRESSED, len(compressed)) + compressed)


def _zigzag(value: int) -> bytes:
    """Return a signed number as ZigZag LEB128; the ninth byte, if there is one, holds eight bits."""
    number = (value << 1) ^ (value >> 63)
    out = bytearray()
    while number >= 0x80 and len(out) < 8:
        out.append(0x80 | (number & 0x7F))
        number >>= 7
    out.append(number & 0xFF)
    return bytes(out)


def hdr_log(histograms: Iterable[tuple[str, Histogram]], *, seconds: float, started: float = 0.0) -> str:
    """Return an interval log of one interval with one tagged line a histogram.

    Args:
        histograms: tag and histogram; tags hold no commas or blanks.
        seconds: length of the interval.
        started: its start in seconds since 1970.
    """
    lines = [
        "#[Histogram log format version 1.3]",
        f"#[StartTime: {started:.3f} (seconds since epoch)]",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]
    for tag, histogram in histograms:
        maximum = (histogram.maximum or 0) / 1e6
        encoded = encode_hdr(histogram).decode()
        lines.append(f"Tag={tag},0.000,{seconds:.3f},{maximum:.3f},{encoded}")
    return "\n".join(lines) + "\n"
