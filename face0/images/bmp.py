"""BMP: its headers, as Windows and OS/2 write them."""

from face0.images.headers import Header
from face0.images.reading import BadImage, read
from schemas.failures import Reason

_OS2_1 = 12
_SIZES = (40, 52, 56, 64, 108, 124)
_PLAIN, _PACKED, _MASKS = 0, (1, 2), 3
_EMBEDDED = 0x4D424544  # "MBED": a profile lies in the file


def bmp_header(data: bytes) -> Header:
    """Reads the size, which may be that of an image from its top down, and where the pixels end."""
    offset, kind = read(data, 10, "<II")
    packing, packed = _PLAIN, 0
    if kind == _OS2_1:
        width, height, _, bits = read(data, 18, "<HHHH")
    elif kind in _SIZES:
        width, height, _, bits, packing, packed = read(data, 18, "<iiHHII")
        read(data, 14 + kind - 1, "B")
        height = abs(height)
    else:
        raise BadImage(Reason.UNSUPPORTED, f"BMP with a header of {kind} bytes, which is not read: convert it")
    if packing not in (_PLAIN, *_PACKED, _MASKS):
        raise BadImage(Reason.UNSUPPORTED, f"BMP with compression {packing}, which is not read: convert it")
    if width <= 0 or height <= 0:
        return Header(width=0, height=0, end=0)
    end = offset + (packed if packing in _PACKED else (width * bits + 31) // 32 * 4 * height)
    return Header(width=width, height=height, end=end, profile=_profile(data, kind), orientation=1)


def _profile(data: bytes, kind: int) -> bytes | None:
    if kind < 124 or read(data, 14 + 56, "<I") != (_EMBEDDED,):
        return None
    start, length = read(data, 14 + 112, "<II")
    return data[14 + start : 14 + start + length]
