"""What pictures coded in HEVC or AV1 say of themselves: the sizes that a decoder makes room for, whatever boxes say."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from face0.images.cicp import Cicp
from face0.images.reading import BadImage
from schemas.failures import Reason

MAX_PARTS = 20_000  # of a bitstream: an encoder makes one, or a few for a slice or tile


class Coded(NamedTuple):
    """A coded picture: pixels of its frame, bits of a sample, and its colours where they are told."""

    width: int
    height: int
    bits: int
    colours: Cicp | None = None


class Bits:
    """Numbers of some bits each, the highest first. Beyond the end all bits are 0."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        """The next bits as a number."""
        self._left -= count
        if self._left < 0:
            raise BadImage(Reason.CORRUPT, "the header of a coded picture ends early")
        return self._value >> self._left & (1 << count) - 1

    def exp_golomb(self) -> int:
        """The next number of a length that it tells itself (H.265, 9.2)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise BadImage(Reason.CORRUPT, "the header of a coded picture holds a number of over 32 bits")
        return (1 << zeros) - 1 + self.take(zeros)


# --- HEVC (ITU-T H.265)


_SPS = 33
_CHROMA_WIDTHS, _CHROMA_HEIGHTS = (1, 2, 2, 1), (1, 2, 1, 1)


def hevc(configuration: bytes, payload: bytes) -> Coded:
    """The largest picture that the parameter sets of a still image declare, and its colours.

    Args:
        configuration: an ``hvcC`` box (ISO/IEC 14496-15, 8.3.3).
        payload: the image: NAL units behind their lengths.

    Raises:
        BadImage: there are none, or several pictures.
    """
    try:
        sets = [unit for unit in _configured(configuration) if _kind(unit) == _SPS]
        pictures = 0
        for unit in _units(payload, (configuration[21] & 3) + 1):
            if _kind(unit) == _SPS:
                sets.append(unit)
            pictures += _kind(unit) < 32 and len(unit) > 2 and unit[2] >= 128
    except (struct.error, IndexError):
        raise BadImage(Reason.CORRUPT, "the parameter sets of an HEVC picture end early") from None
    if pictures != 1:
        raise BadImage(Reason.CORRUPT, f"{pictures} HEVC pictures where one is to be")
    if not sets:
        raise BadImage(Reason.CORRUPT, "an HEVC picture without its parameter sets")
    return _largest([_sps(unit) for unit in sets[:64]])


def _largest(pictures: list[Coded]) -> Coded:
    width, height, bits = (max(values) for values in list(zip(*pictures, strict=True))[:3])
    return Coded(width, height, bits, next((picture.colours for picture in pictures if picture.colours), None))


def _kind(unit: bytes) -> int:
    return unit[0] >> 1 & 63 if unit else 63


def _configured(configuration: bytes) -> Iterator[bytes]:
    at = 23
    for _ in range(configuration[22]):
        (count,) = struct.unpack_from(">H", configuration, at + 1)
        at += 3
        for _ in range(count):
            (length,) = struct.unpack_from(">H", configuration, at)
            yield configuration[at + 2 : at + 2 + length]
            at += 2 + length


def _units(payload: bytes, size: int) -> Iterator[bytes]:
    """The first bytes of each unit; those of parameter sets whole."""
    at = 0
    for _ in range(MAX_PARTS):
        if at + size >= len(payload):
            return
        length = int.from_bytes(payload[at : at + size], "big")
        at += size
        whole = payload[at] >> 1 & 63 == _SPS
        yield payload[at : at + (min(length, 4096) if whole else 3)]
        at += length
    raise BadImage(Reason.BOMB, f"an HEVC picture of over {MAX_PARTS:,} units")


def _sps(unit: bytes) -> Coded:
    """A sequence parameter set (7.3.2.2)."""
    bits = Bits(unit.replace(b"\0\0\3", b"\0\0"))
    bits.take(16 + 4)
    layers = bits.take(3)
    bits.take(1 + 96)
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    bits.take(2 * (8 - layers) if layers else 0)
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.exp_golomb()
    if bits.exp_golomb() == 3:
        bits.take(1)
    width, height = bits.exp_golomb(), bits.exp_golomb()
    if bits.take(1):
        for _ in range(4):
            bits.exp_golomb()
    depth = 8 + max(bits.exp_golomb(), bits.exp_golomb())
    try:
        colours = _usability(bits, layers)
    except BadImage:  # the decoder may still make something of it
        colours = None
    return Coded(width, height, depth, colours)


def _usability(bits: Bits, layers: int) -> Cicp | None:
    """The colours at the end of a sequence parameter set (E.2.1); None behind fields that no still image has."""
    order = bits.exp_golomb() + 4
    for _ in range(layers + 1 if bits.take(1) else 1):
        for _ in range(3):
            bits.exp_golomb()
    for _ in range(6):
        bits.exp_golomb()
    if bits.take(1) and bits.take(1):  # lists of scaling
        return None
    bits.take(2)
    if bits.take(1):  # samples as they are
        bits.take(8)
        bits.exp_golomb()
        bits.exp_golomb()
        bits.take(1)
    if bits.exp_golomb():  # pictures to refer to
        return None
    if bits.take(1):
        for _ in range(min(bits.exp_golomb(), 33)):
            bits.take(order + 1)
    bits.take(2)
    if not bits.take(1):
        return None
    if bits.take(1) and bits.take(8) == 255:
        bits.take(32)
    if bits.take(1):
        bits.take(1)
    if bits.take(1):
        bits.take(3 + 1)
        if bits.take(1):
            return Cicp(bits.take(8), bits.take(8))
    return None


# --- AV1


_SEQUENCE, _FRAMES = 1, (3, 6)
MAX_FRAMES = 4  # of a still image in layers of growing quality


def av1(configuration: bytes, payload: bytes) -> Coded:
    """The largest picture that the sequence headers of a still image declare, and the colours of the first.

    Args:
        configuration: an ``av1C`` box.
        payload: the image, as open bitstream units (AV1 specification, 5.3).

    Raises:
        BadImage: there is no header, or more frames than layers can be.
    """
    headers: list[Coded] = []
    frames = 0
    for data in (configuration[4:], payload):
        for kind, body in _open_units(data):
            frames += kind in _FRAMES
            if kind == _SEQUENCE and len(headers) < 64:
                headers.append(_sequence(body))
    if not headers:
        raise BadImage(Reason.CORRUPT, "an AV1 picture without its sequence header")
    if frames > MAX_FRAMES:
        raise BadImage(Reason.UNSUPPORTED, f"an AV1 picture of {frames} frames; up to {MAX_FRAMES} are read")
    return _largest(headers)


def _open_units(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    for _ in range(MAX_PARTS):
        if at >= len(data):
            return
        kind, extended, sized = data[at] >> 3 & 15, data[at] & 4, data[at] & 2
        at += 2 if extended else 1
        length = len(data) - at
        if sized:
            length = 0
            for place in range(8):
                if at >= len(data):
                    return
                length |= (data[at] & 127) << 7 * place
                at += 1
                if data[at - 1] < 128:
                    break
        yield kind, data[at : at + min(length, 256)]
        at += length
    raise BadImage(Reason.BOMB, f"an AV1 picture of over {MAX_PARTS:,} units")


def _sequence(body: bytes) -> Coded:
    """A sequence header (5.5)."""
    bits = Bits(body)
    profile, _, reduced = bits.take(3), bits.take(1), bits.take(1)
    if reduced:
        bits.take(5)
    else:
        _operating_points(bits)
    wide, high = bits.take(4) + 1, bits.take(4) + 1
    width, height = bits.take(wide) + 1, bits.take(high) + 1
    if not reduced and bits.take(1):  # frame ids
        bits.take(4 + 3)
    bits.take(3)
    if not reduced:
        _tools(bits)
    bits.take(3)
    return _colours(bits, profile, width, height)


def _operating_points(bits: Bits) -> None:
    decoder_model, delays = False, 0
    if bits.take(1):  # timing
        bits.take(64)
        if bits.take(1):
            bits.exp_golomb()
        if decoder_model := bool(bits.take(1)):
            delays = bits.take(5) + 1
            bits.take(32 + 5 + 5)
    initial_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if decoder_model and bits.take(1):
            bits.take(2 * delays + 1)
        if initial_delay and bits.take(1):
            bits.take(4)


def _tools(bits: Bits) -> None:
    bits.take(4)
    order = bits.take(1)
    bits.take(2 * order)
    screen = 2 if bits.take(1) else bits.take(1)
    if screen and not bits.take(1):
        bits.take(1)
    bits.take(3 * order)


def _colours(bits: Bits, profile: int, width: int, height: int) -> Coded:
    high = bits.take(1)
    depth = 10 if high else 8
    if profile == 2 and high and bits.take(1):
        depth = 12
    if profile != 1:
        bits.take(1)
    colours = None
    if bits.take(1):
        colours = Cicp(bits.take(8), bits.take(8))
    return Coded(width, height, depth, colours)
