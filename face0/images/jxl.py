"""JPEG XL: its codestream, taken out of its container, and what it says first (ISO/IEC 18181-1, annex D)."""

from face0.images.boxes import boxes
from face0.images.cicp import refuse_hdr
from face0.images.headers import Header
from face0.images.reading import BadImage
from schemas.failures import Reason

MAX_CHANNELS = 4  # beside the colours. Each takes as much memory as a colour does
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_GREY, _XYB = 1, 2
_CUSTOM = 2
_ALPHA, _BLACK = 0, 4


def jxl_header(data: bytes) -> Header:
    """Reads the size, the channels and the colours of a picture, and joins the parts of its codestream.

    What else is in a container stays behind: EXIF (whose orientation does not count, for the codestream has its own,
    which the decoder applies), compressed boxes, and how to make a JPEG of it again.
    """
    codestream, end = _codestream(data)
    try:
        width, height, bits = _metadata(_Bits(codestream))
    except IndexError:
        whole = end <= len(data) and len(codestream) > 4096
        reason = Reason.CORRUPT if whole else Reason.TRUNCATED
        raise BadImage(reason, f"JPEG XL that ends after {len(data):,} bytes, within its header") from None
    bits = 16 if bits > 8 else 8  # what the decoder makes of them
    return Header(width=width, height=height, end=end, bits=bits, file=codestream, orientation=1)


def _codestream(data: bytes) -> tuple[bytes, int]:
    """The codestream of a file, and where in the file it ends."""
    if data.startswith(b"\xff\x0a"):
        return data, len(data)
    parts, last, end = [], False, len(data) + 1
    for found in boxes(data):
        if found.kind == b"jxlc":
            parts, last = [data[found.start : found.stop]], True
        elif found.kind == b"jxlp":
            parts.append(data[found.start + 4 : found.stop])
            last = found.stop <= found.start + 3 or data[found.start : found.start + 1] >= b"\x80"
        if last:
            end = found.stop
            break
        end = found.stop + 1
    codestream = b"".join(parts)
    if last and end <= len(data) and not codestream.startswith(b"\xff\x0a"):
        raise BadImage(Reason.CORRUPT, "JPEG XL container without a codestream")
    return codestream, end


class _Bits:
    """Numbers of some bits each, the lowest first, of the beginning of a codestream. Raises IndexError at its end."""

    def __init__(self, data: bytes) -> None:
        start = data[2 : 2 + 2**16]
        self._value, self._left = int.from_bytes(start, "little"), 8 * len(start)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise IndexError
        value = self._value & (1 << count) - 1
        self._value >>= count
        return value

    def flag(self) -> bool:
        return bool(self.take(1))

    def choice(self, *ways: tuple[int, int]) -> int:
        """A number in one of four ways: added to so many bits."""
        offset, count = ways[self.take(2)]
        return offset + self.take(count)

    def enum(self) -> int:
        return self.choice((0, 0), (1, 0), (2, 4), (18, 6))


def _metadata(bits: _Bits) -> tuple[int, int, int]:
    """Width and height as the picture is stored, and bits of a sample."""
    width, height = _size(bits)
    if bits.flag():  # all as usual: 8 bits, sRGB
        return width, height, 8
    if bits.flag():
        bits.take(3)  # the orientation
        if bits.flag():
            _size(bits)
        if bits.flag():
            _preview(bits)
        if bits.flag():
            raise BadImage(
                Reason.UNSUPPORTED, "JPEG XL with an animation, which is not read: convert one of its frames"
            )
    depth, is_float = _depth(bits)
    bits.flag()
    channels = bits.choice((0, 0), (1, 0), (2, 4), (1, 12))
    if channels > MAX_CHANNELS:
        raise BadImage(Reason.UNSUPPORTED, f"JPEG XL with {channels} channels beside its colours")
    kinds = [_channel(bits) for _ in range(channels)]
    bits.flag()  # XYB
    _colours(bits)
    if is_float:
        raise BadImage(Reason.UNSUPPORTED, "JPEG XL with floating-point pixels: convert it to 8 or 16 bits")
    if _BLACK in kinds:
        raise BadImage(Reason.UNSUPPORTED, "JPEG XL in CMYK: convert it to sRGB")
    return width, height, depth


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.flag()
    height = _side(bits, small)
    ratio = bits.take(3)
    if ratio == 0:
        return _side(bits, small), height
    numerator, denominator = _RATIOS[ratio - 1]
    return height * numerator // denominator, height


def _side(bits: _Bits, small: bool) -> int:
    return 8 * (1 + bits.take(5)) if small else bits.choice((1, 9), (1, 13), (1, 18), (1, 30))


def _preview(bits: _Bits) -> None:
    ways = ((16, 0), (32, 0), (1, 5), (33, 9)) if bits.flag() else ((1, 6), (65, 8), (321, 10), (1345, 12))
    bits.choice(*ways)
    if bits.take(3) == 0:
        bits.choice(*ways)


def _depth(bits: _Bits) -> tuple[int, bool]:
    """Bits of a sample, and whether they are floating-point numbers."""
    if bits.flag():
        depth = bits.choice((32, 0), (16, 0), (24, 0), (1, 6))
        bits.take(4)
        return depth, True
    return bits.choice((8, 0), (10, 0), (12, 0), (1, 6)), False


def _channel(bits: _Bits) -> int:
    """The kind of a channel beside the colours."""
    if bits.flag():
        return _ALPHA
    kind = bits.enum()
    _depth(bits)
    bits.choice((0, 0), (3, 0), (4, 0), (1, 3))
    bits.take(8 * bits.choice((0, 0), (0, 4), (16, 5), (48, 10)))
    if kind == _ALPHA:
        bits.flag()
    elif kind == 2:
        bits.take(4 * 16)
    elif kind == 5:
        bits.choice((1, 0), (0, 2), (3, 4), (19, 8))
    return kind


def _colours(bits: _Bits) -> None:
    """Reads past the colour space. One with a curve of HDR is refused."""
    if bits.flag():  # sRGB
        return
    has_profile, space = bits.flag(), bits.enum()
    if has_profile:
        return
    if space != _XYB and bits.enum() == _CUSTOM:
        _points(bits, 1)
    if space not in (_GREY, _XYB) and bits.enum() == _CUSTOM:
        _points(bits, 3)
    if bits.flag():
        bits.take(24)
    else:
        refuse_hdr(bits.enum(), "JPEG XL")


def _points(bits: _Bits, count: int) -> None:
    for _ in range(2 * count):
        bits.choice((0, 19), (2**19, 19), (2**20, 20), (2**21, 21))
