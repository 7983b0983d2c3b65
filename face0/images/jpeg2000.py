"""JPEG 2000: the headers of its codestream, and the boxes around it (ISO/IEC 15444-1, annexes A and I)."""

from face0.images.boxes import Box, boxes
from face0.images.headers import Header
from face0.images.reading import BadImage, read
from schemas.failures import Reason

# What OpenJPEG makes room for, whether there are pixels of it or not.
MAX_COMPONENTS = 4
MAX_TILES = 4096  # 10 kB each
MAX_PARTS = 50_000  # segments of a header, and parts of all tiles: each is a step in Python
MIN_BLOCK_PIXELS = 256  # of a block of coefficients, on average: an encoder makes them of 64 x 64, or 32 x 32
SMALL_BLOCKS = 10_000  # may be smaller

_SIZ, _COD, _COC, _SOT, _SOD, _END = 0xFF51, 0xFF52, 0xFF53, 0xFF90, 0xFF93, 0xFFD9
_COLOURS = {16, 17, 18}  # sRGB, grey, sYCC
_OTHER_COLOURS = {12: "CMYK", 14: "CIELab", 20: "e-sRGB", 21: "ROMM RGB", 24: "e-sYCC"}


def jpeg2000_header(data: bytes) -> Header:
    """Reads the boxes up to the codestream, and all headers of that. There is no orientation in it."""
    if data.startswith(b"\xff\x4f"):
        width, height, bits, end = _codestream(data, 0)
        return Header(width=width, height=height, end=end, bits=bits, orientation=1)
    head = None
    for found in boxes(data):
        if found.kind == b"jp2h":
            read(data, found.stop - 1, "B")
            head = found
        elif found.kind == b"jp2c":
            if head is None:
                raise BadImage(Reason.CORRUPT, "JPEG 2000 whose picture stands before its header")
            width, height, bits, end = _codestream(data, found.start)
            wide, high, profile = _boxes_of_header(data, head)
            if not (wide and high and width and height):
                return Header(width=0, height=0, end=end)
            width, height = max(wide, width), max(high, height)
            return Header(width=width, height=height, end=end, bits=bits, orientation=1, profile=profile)
        end = found.stop
    raise BadImage(Reason.TRUNCATED, f"JPEG 2000 that ends after {len(data):,} bytes, before its picture")


def _boxes_of_header(data: bytes, head: Box) -> tuple[int, int, bytes | None]:
    """Width, height and the ICC profile."""
    width = height = 0
    profile, colours = None, []
    for found in boxes(data, head.start, head.stop):
        if found.kind == b"ihdr":
            height, width, components = read(data, found.start, ">IIH")
            if components > MAX_COMPONENTS:
                raise _too_many(components)
        elif found.kind == b"colr":
            (method,) = read(data, found.start, "B")
            if method == 1:
                colours.append(read(data, found.start + 3, ">I")[0])
            elif method in (2, 3) and profile is None:
                profile = data[found.start + 3 : found.stop]
    other = next((colour for colour in colours if colour in _OTHER_COLOURS), None)
    if profile is not None and profile[16:20] == b"CMYK":
        raise BadImage(Reason.UNSUPPORTED, "JPEG 2000 in CMYK: convert it to sRGB")
    if other is not None and profile is None and not _COLOURS & set(colours):
        raise BadImage(Reason.UNSUPPORTED, f"JPEG 2000 in {_OTHER_COLOURS[other]}: convert it to sRGB")
    return width, height, profile


def _too_many(components: int) -> BadImage:
    return BadImage(Reason.UNSUPPORTED, f"JPEG 2000 of {components} components; up to {MAX_COMPONENTS} are read")


def _codestream(data: bytes, start: int) -> tuple[int, int, int, int]:
    """Width and height of the whole canvas, bits that Pillow makes of a component, and where the last tile ends."""
    if read(data, start, ">HH") != (0xFF4F, _SIZ):
        raise BadImage(Reason.CORRUPT, "JPEG 2000 without a codestream")
    x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0, components = read(data, start + 8, ">8IH")
    if components > MAX_COMPONENTS:
        raise _too_many(components)
    depths = [read(data, start + 42 + 3 * place, "BBB")[0] for place in range(components)]
    if not tile_x or not tile_y or x1 <= x0 or y1 <= y0 or not components:
        return 0, 0, 8, start
    tiles = -(-(x1 - tile_x0) // tile_x) * -(-(y1 - tile_y0) // tile_y)
    if tiles > MAX_TILES:
        raise BadImage(Reason.BOMB, f"JPEG 2000 of {tiles:,} tiles; up to {MAX_TILES:,} are read")
    size = (x1 - x0, y1 - y0)
    end = _tiles(data, _segments(data, start + 2, (_SOT, _END), size), size)
    bits = 16 if max((depth & 127) + 1 for depth in depths) > 8 else 8
    return *size, bits, end


def _segments(data: bytes, at: int, last: tuple[int, ...], size: tuple[int, int]) -> int:
    """Walks the segments of a header to one of the markers ``last``, and says where that is."""
    for _ in range(MAX_PARTS):
        (marker,) = read(data, at, ">H")
        if marker in last:
            return at
        (length,) = read(data, at + 2, ">H")
        if marker < 0xFF00 or length < 2:
            raise BadImage(Reason.CORRUPT, "JPEG 2000 with a broken header")
        if marker == _COD:
            _check_blocks(data, at + 9, read(data, at + 4, "B")[0] & 1, size)
        elif marker == _COC:
            # Behind the number of the component, which has one byte
            _check_blocks(data, at + 6, read(data, at + 5, "B")[0] & 1, size)
        at += 2 + length
    raise BadImage(Reason.BOMB, f"JPEG 2000 with a header of over {MAX_PARTS:,} segments")


def _check_blocks(data: bytes, at: int, has_precincts: int, size: tuple[int, int]) -> None:
    """Blocks and precincts are structures in memory: very small ones take more of it than their pixels."""
    levels, *block = read(data, at, "BBB")
    if levels > 32:
        raise BadImage(Reason.CORRUPT, f"JPEG 2000 of {levels} resolutions; there can be 32")
    precincts = read(data, at + 5, f"{levels + 1}B") if has_precincts else (0xFF,) * (levels + 1)
    count = 0
    for level, exponents in enumerate(precincts):
        sides = [-(-side // 2 ** (levels - level)) for side in size]
        whole = (exponents & 15, exponents >> 4)
        # Above the smallest resolution a precinct lies in three bands of half its size.
        parts = [min(bits + 2, exponent - (level > 0)) for bits, exponent in zip(block, whole, strict=True)]
        if min(parts) < 0:
            raise BadImage(Reason.CORRUPT, "JPEG 2000 with precincts of no size")
        count += -(-sides[0] // 2 ** whole[0]) * -(-sides[1] // 2 ** whole[1])
        count += -(-sides[0] // 2 ** parts[0]) * -(-sides[1] // 2 ** parts[1])
    if count > SMALL_BLOCKS + size[0] * size[1] / MIN_BLOCK_PIXELS:
        raise BadImage(Reason.BOMB, f"JPEG 2000 in {count:,} blocks, which take more memory than its pixels")


def _tiles(data: bytes, at: int, size: tuple[int, int]) -> int:
    """Walks the parts of tiles, and says where the last ends, its mark included."""
    for _ in range(MAX_PARTS):
        if read(data, at, ">H")[0] != _SOT:
            return at + 2
        (length,) = read(data, at + 6, ">I")
        _segments(data, at + 12, (_SOD,), size)
        if length == 0:  # up to the end
            return at + 16 if data.find(b"\xff\xd9", at) >= 0 else len(data) + 1
        if length < 14:
            raise BadImage(Reason.CORRUPT, "JPEG 2000 with a tile shorter than its head")
        at += length
        if at >= len(data):
            return at + 2
    raise BadImage(Reason.BOMB, f"JPEG 2000 in over {MAX_PARTS:,} parts of tiles")
