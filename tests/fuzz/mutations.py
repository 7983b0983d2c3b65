"""Files that were valid once, and repairs of the checks that would hide what was changed behind them."""

import struct
import tarfile
import zlib
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

# Numbers at which sizes go wrong.
NUMBERS = (0, 1, 2, 127, 128, 255, 256, 2**15 - 1, 2**15, 2**16 - 1, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1)

LAYOUTS = ("B", "<H", ">H", "<I", ">I", "<Q", ">Q")


def numbers() -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda value, layout: struct.pack(layout, value % 256 ** struct.calcsize(layout)),
        st.sampled_from(NUMBERS),
        st.sampled_from(LAYOUTS),
    )


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes], repair: Callable[[bytes], bytes] | None = None) -> bytes:
    """One of the seeds with a few changes. With a repair, mostly one that passes the format's own checks."""
    data = bytearray(seeds[draw(st.integers(0, len(seeds) - 1))])
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        # Headers are at the beginning more often than not.
        at = min(at, draw(st.sampled_from((len(data), 64, 512))))
        kind = draw(st.sampled_from(("write", "write", "bits", "insert", "cut", "delete", "repeat", "splice")))
        length = draw(st.integers(1, 64))
        if kind == "write":
            new = draw(numbers() | st.binary(min_size=1, max_size=8))
            data[at : at + len(new)] = new
        elif kind == "bits" and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "insert":
            data[at:at] = draw(st.binary(max_size=64) | numbers())
        elif kind == "cut":
            del data[max(at, 8) :]
        elif kind == "delete":
            del data[at : at + length]
        elif kind == "repeat":
            data[at:at] = data[at : at + length] * draw(st.integers(1, 100))
        elif kind == "splice":
            other = seeds[draw(st.integers(0, len(seeds) - 1))]
            start = draw(st.integers(0, len(other)))
            data[at : at + length] = other[start : start + length]
    whole = bytes(data)
    return repair(whole) if repair is not None and draw(st.integers(0, 7)) else whole


def repair_png(data: bytes) -> bytes:
    """Makes the checksums of chunks right."""
    out, at = bytearray(data), 8
    while at + 12 <= len(out):
        (length,) = struct.unpack_from(">I", out, at)
        end = at + 8 + length
        if end + 4 > len(out):
            break
        struct.pack_into(">I", out, end, zlib.crc32(out[at + 4 : end]))
        at = end + 4
    return bytes(out)


def repair_tar(data: bytes) -> bytes:
    """Makes the checksums of what look like headers right."""
    out = bytearray(data)
    for at in range(0, len(out) - 511, tarfile.BLOCKSIZE):
        if out[at + 257 : at + 262] == b"ustar":
            out[at + 148 : at + 156] = b" " * 8
            out[at + 148 : at + 156] = b"%06o\0 " % sum(out[at : at + 512])
    return bytes(out)
