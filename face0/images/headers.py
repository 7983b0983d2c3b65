"""What the first bytes of a file say: its format, the size of its image, and how long it must be at least.

Read here, before Pillow sees the file: Pillow's own readers of WebP and GIF allocate the whole canvas as they open, so
that a limit checked after ``Image.open`` would be checked too late.
"""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from face0.images.cicp import Cicp, profile_of
from face0.images.reading import BadImage, read
from schemas.failures import Reason

BOMB_PIXELS_PER_BYTE = 50  # a photo has 0.5 to 10; a plain PNG can have 1,000 and be harmless when small
MAX_PIXELS_PER_BYTE = 500  # no picture of a person has so many, however soft and strongly compressed
SMALL_PIXELS = 2**22  # are decoded whatever their number of bytes
MAX_TIFF_VALUES = 2**16  # of a tag: strips and tiles of an image have some thousands
MAX_JPEG_EXIFS = 1000  # XMP may have megabytes, 64 KiB a segment; Pillow joins those of EXIF one by one
MAX_JPEG_SCANS = 200  # an encoder writes 10. Empty scans cost a few bytes each, and a pass over the image


# --- What the bytes are


_SIGNATURES: dict[str, tuple[bytes, ...]] = {  # a dot is any byte
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "WEBP": (b"RIFF....WEBP",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "JPEG XL": (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"),
    "JPEG 2000": (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n"),
    "BMP": (b"BM....\0\0\0\0",),
    "HEIF": (b"\0\0..ftyp....",),  # or a film: its brands tell
}
_BRANDS = {"AVIF": (b"avif", b"avis"), "HEIC": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")}
_READ = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "HEIC", "JPEG XL", "JPEG 2000", "BMP")
_UNSUPPORTED = {
    "ICO": rb"\0\0[\1\2]\0[^\0]",
    "JPEG XR": rb"II\xbc[\0\1]",
    "PSD": rb"8BP[SB]",
    "PNM": rb"P[1-7]\s+[#\d]",
    "QOI": rb"qoif",
    "OpenEXR": rb"\x76\x2f\x31\x01",
    "Radiance HDR": rb"#\?R(ADIANC|GB)E",
    "DDS": rb"DDS ",
    "ICNS": rb"icns",
    "MNG": rb"\x8a[MJ]NG",
    "XCF": rb"gimp xcf",
    "Camera raw": rb".{4}ftypcrx |FUJIFILMCCD-RAW|FOVb|IIU\0|IIR[OS]",
    "DICOM": rb".{128}DICM",
    "FITS": rb"SIMPLE  =",
    "FLIF": rb"FLIF",
    "Farbfeld": rb"farbfeld",
    "PCX": rb"\n[\0\2-\5][\0\1][\1\2\4\x08]",
    "SGI": rb"\x01\xda[\0\1][\1\2]\0[\1-\3]",
    "An OS/2 bitmap array": rb"BA.{12}(BM|CI|CP|IC|PT)",
}
_NO_IMAGES = {
    "an HTML page": rb"(?i)\s*(<[^>]*>\s*)*?<(!doctype html|html|head|body|title|script)\b",
    "an SVG drawing": rb"(?i)[^\0]*?<svg\b",
    "XML": rb"\s*<\?xml",
    "a PDF": rb"\s*%PDF",
    "JSON": rb'\s*[{\[]\s*["{\[\]}]',
    "a ZIP archive": rb"PK\x03\x04",
    "gzip": rb"\x1f\x8b",
    "a video": rb".{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}AVI",
    "text": rb"[\t\n\r\x20-\x7e\x80-\xff]+\Z",
}


def sniff(data: bytes) -> str:
    """The name of the format, by its signature. Raises BadImage where it is none of ours, with what it is instead."""
    if not data:
        raise BadImage(Reason.EMPTY, "no bytes at all")
    for name, signatures in _SIGNATURES.items():
        signature = next((signature for signature in signatures if _agree(signature, data)), None)
        if signature is not None:
            if len(data) < len(signature):
                raise BadImage(Reason.TRUNCATED, f"ends after {len(data)} bytes, within the signature of a {name}")
            if name != "HEIF":
                return name
            if (kind := _kind_of_heif(data)) is not None:
                return kind
    start = data[:1024].removeprefix(b"\xef\xbb\xbf")
    for name, pattern in _UNSUPPORTED.items():
        if re.match(pattern, start, re.DOTALL):
            raise BadImage(Reason.UNSUPPORTED, f"{name} is not read: convert it to one of {', '.join(_READ)}")
    for what, pattern in _NO_IMAGES.items():
        if re.match(pattern, start, re.DOTALL):
            raise BadImage(Reason.NOT_AN_IMAGE, f"this is {what}, not an image")
    raise BadImage(Reason.NOT_AN_IMAGE, "it does not begin as any known image does")


def _kind_of_heif(data: bytes) -> str | None:
    """AVIF or HEIC, by the brands of a file; None for a film."""
    (size,) = read(data, 0, ">I")
    brands = {data[at : at + 4] for at in (8, *range(16, min(size, 256) - 3, 4))}
    return next((name for name, known in _BRANDS.items() if brands.intersection(known)), None)


def _agree(signature: bytes, data: bytes) -> bool:
    """Whether the data begins with a signature, or is cut within it."""
    return all(want in (have, ord(".")) for want, have in zip(signature, data, strict=False))


# --- Headers: the size of the image, and how long a whole file is at least


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a header says of its image.

    Attributes:
        width: pixels of what a decoder will allocate: the canvas, or the tile where that is larger.
        height: see ``width``.
        end: where the last byte that is needed ends: beyond the end of the data if this is cut short.
        bits: of a sample.
        spans: the parts of the file, as (start, stop), that the first frame is made of; None: all of it.
        file: what a decoder is given in its place; None: the file, or its ``spans``.
        codec: the format by its content, where the signature does not tell; else None.
        profile: ICC, where a decoder would not find it; empty: sRGB; None: as the decoder says.
        crop: left, top, right and bottom of what is shown of the pixels; None: all.
        orientation: how they are turned then, as EXIF counts; None: as the file's EXIF says.
    """

    width: int
    height: int
    end: int
    bits: int = 8
    spans: tuple[tuple[int, int], ...] | None = None
    file: bytes | None = None
    codec: str | None = None
    profile: bytes | None = None
    crop: tuple[int, int, int, int] | None = None
    orientation: int | None = None


def check_size(width: int, height: int, size: int, max_pixels: int) -> None:
    """Raises BadImage for an image without pixels, or with too many."""
    if width <= 0 or height <= 0:
        raise BadImage(Reason.ZERO_SIZE, f"{width} x {height} pixels")
    pixels = width * height
    if pixels > max_pixels:
        reason = Reason.BOMB if pixels > BOMB_PIXELS_PER_BYTE * size else Reason.TOO_LARGE
        raise BadImage(reason, f"{width} x {height} pixels in {size:,} bytes; the limit is {max_pixels:,} pixels")
    if pixels > max(SMALL_PIXELS, MAX_PIXELS_PER_BYTE * size):
        limit = f"over {SMALL_PIXELS:,} pixels it is {MAX_PIXELS_PER_BYTE} to a byte"
        raise BadImage(Reason.BOMB, f"{width} x {height} pixels in {size:,} bytes; the limit {limit}")


def _jpeg_header(data: bytes) -> Header:
    """Walks the segments, so that the thumbnail within one of them is stepped over."""
    at, frame, exifs = 2, None, 0
    while True:
        at = data.find(b"\xff", at)
        (marker,) = read(data, at + 1 if at >= 0 else len(data), "B")
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:  # stuffing, and markers without a segment
            at += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9:
            raise BadImage(Reason.CORRUPT, "JPEG without an image")
        (length,) = read(data, at + 2, ">H")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            frame = read(data, at + 4, ">BHHB")
        exifs += marker == 0xE1
        if marker == 0xF7:
            raise BadImage(Reason.UNSUPPORTED, "JPEG-LS is not read: convert it to JPEG or PNG")
        at += 2 + length
        if marker == 0xDA:
            break
    if frame is None:
        raise BadImage(Reason.CORRUPT, "JPEG without a frame header")
    if exifs > MAX_JPEG_EXIFS:
        raise BadImage(Reason.BOMB, f"JPEG with {exifs} segments of EXIF or XMP; the limit is {MAX_JPEG_EXIFS}")
    bits, height, width, channels = frame
    if bits != 8 or channels not in (1, 3, 4):
        raise BadImage(Reason.UNSUPPORTED, f"JPEG with {channels} channels of {bits} bits")
    return Header(width=width, height=height, end=_end_of_scans(data, at))


def _end_of_scans(data: bytes, at: int) -> int:
    """Where the image ends whose first scan begins here: phones put more pictures, or a film, behind it.

    Within a scan 00 follows every FF, or a restart; the segments between two scans may hold anything.
    """
    scans = 1
    while match := _MARKER.search(data, at):
        at, marker = match.end(), data[match.end() - 1]
        if marker == 0xD9:
            return at
        if marker not in _BETWEEN_SCANS:  # noise in a scan
            continue
        scans += marker == 0xDA
        if scans > MAX_JPEG_SCANS:
            raise BadImage(Reason.BOMB, f"JPEG with over {MAX_JPEG_SCANS} scans")
        at += read(data, at, ">H")[0]
    return len(data) + 2


_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
_BETWEEN_SCANS = frozenset((0xC4, 0xCC, *range(0xDA, 0xE0), *range(0xE0, 0xF0), 0xFE))


# What the pixels of a PNG, their colours and their orientation need. (acTL tells that more frames follow.)
_PNG_NEEDED = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"eXIf", b"acTL", b"fcTL"))
_PNG_TEXTS = frozenset((b"iTXt", b"tEXt", b"zTXt"))
_PNG_KEYWORDS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")


def _png_header(data: bytes) -> Header:
    """Walks the chunks to the last, and checks those that matter: Pillow does not look at the checksum of pixels.

    Text is left out, for it is compressed; but for the two kinds that may hold an orientation, the first of each.
    """
    width, height = read(data, 16, ">II")
    (bits,) = read(data, 24, "B")
    if data[12:16] != b"IHDR":
        raise BadImage(Reason.CORRUPT, "PNG that does not begin with its header")
    at, kind, view = 8, b"", memoryview(data)
    spans = [(0, 8)]
    keywords, profile = list(_PNG_KEYWORDS), None
    while kind != b"IEND":
        if at + 8 > len(data):
            return Header(width=width, height=height, end=at + 8, bits=bits)
        (length,) = read(data, at, ">I")
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end <= len(data) and kind.isupper():
            (checksum,) = read(data, end - 4, ">I")
            if zlib.crc32(view[at + 4 : end - 4]) != checksum:
                raise BadImage(Reason.CORRUPT, "PNG with a chunk of a wrong checksum")
        needed = kind in _PNG_NEEDED
        if kind in _PNG_TEXTS:
            keyword = next((word for word in keywords if data.startswith(word, at + 8)), None)
            if needed := keyword is not None:
                keywords.remove(keyword)
        if kind == b"cICP" and profile is None and length == 4:
            # It counts before any profile, of which Pillow alone knows
            profile = profile_of(Cicp(*read(data, at + 8, "BB")), "PNG") or b""
        if needed and spans[-1][1] == at:
            spans[-1] = (spans[-1][0], end)
        elif needed:
            spans.append((at, end))
        at = end
    parts = tuple(spans) if len(spans) > 1 else None
    return Header(width=width, height=height, end=at, bits=bits, spans=parts, profile=profile)


def _webp_header(data: bytes) -> Header:
    (size,) = read(data, 4, "<I")
    read(data, 29, "B")  # the longest header
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        (packed,) = read(data, 21, "<I")
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in read(data, 26, "<HH"))
    else:
        raise BadImage(Reason.CORRUPT, "WebP without an image at its beginning")
    return Header(width=width, height=height, end=8 + size)


def _gif_header(data: bytes) -> Header:
    """Walks the blocks to the end of the first frame. A frame may be larger than the screen it stands on.

    Comments are left out, which Pillow joins piece by piece, and what follows the frame.
    """
    width, height, flags = read(data, 6, "<HHB")
    at = 13 + _colour_table(flags)
    spans = [(0, at)]
    while True:
        (block,) = read(data, at, "B")
        if block == 0x3B:
            raise BadImage(Reason.CORRUPT, "GIF without an image")
        if block == 0x2C:
            left, top, wide, high, flags = read(data, at + 1, "<HHHHB")
            end = _after_blocks(data, at + 11 + _colour_table(flags))
            width, height = max(width, left + wide), max(height, top + high)
            return Header(width=width, height=height, end=end, spans=(*spans, (at, end)))
        if block == 0x21:
            label, length = read(data, at + 1, "BB")
            end = _after_blocks(data, at + 2)
            if length == 0 and label != 0xFE:  # Pillow reads on here: stay in step, or it might see another size
                end = _after_blocks(data, end)
            if label == 0xF9:
                spans = [spans[0], (at, end)]  # the last control before a frame is the frame's
            at = end
        else:
            at += 1


def _colour_table(flags: int) -> int:
    """Bytes of the colour table of a GIF."""
    return 6 << (flags & 7) if flags & 128 else 0


def _after_blocks(data: bytes, at: int) -> int:
    """Where a chain of sub-blocks ends, each of which begins with its length."""
    while length := read(data, at, "B")[0]:
        at += 1 + length
    return at + 1


_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_TIFF_BYTES = (1, 2, 6, 7)  # kinds that are kept as they are; the values of others become objects
_TIFF_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 16: "u8"}
_WIDTH, _HEIGHT, _BITS, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 258, 322, 323
_DATA = {273: 279, 324: 325}  # where the strips and the tiles lie: how long they are


def _tiff_header(data: bytes) -> Header:
    """Reads the first directory. All that it points to must be there."""
    order = "<" if data.startswith(b"II") else ">"
    big = b"+" in data[2:4]
    number, inline, stride = ("Q", 8, 20) if big else ("I", 4, 12)
    (at,) = read(data, inline, order + number)
    (entries,) = read(data, at, order + ("Q" if big else "H"))
    first = at + (8 if big else 2)
    end = first + entries * stride + inline
    tags: dict[int, np.ndarray] = {}
    total = 0
    for entry in range(first, first + entries * stride, stride):
        tag, kind, count = read(data, entry, order + "HH" + number)
        where, size = entry + stride - inline, count * _TIFF_SIZES.get(kind, 1)
        if size > inline:
            (where,) = read(data, where, order + number)
        end = max(end, where + size)
        total += size
        if kind in _TIFF_INTEGERS and count and where + size <= len(data):
            tags[tag] = np.frombuffer(data, order + _TIFF_INTEGERS[kind], count, where)
        if count > MAX_TIFF_VALUES and kind not in _TIFF_BYTES and where + size <= len(data):
            raise BadImage(Reason.BOMB, f"TIFF with {count:,} values of tag {tag}; the limit is {MAX_TIFF_VALUES:,}")
    # Entries may share what they point to, and each is copied.
    if total > 2 * len(data) and end <= len(data):
        raise BadImage(Reason.BOMB, f"TIFF with {total:,} bytes of tags in a file of {len(data):,}")
    for offsets, lengths in _DATA.items():
        if offsets in tags and lengths in tags:
            parts = min(len(tags[offsets]), len(tags[lengths]))
            end = max(end, int((tags[offsets][:parts].astype(float) + tags[lengths][:parts]).max()))
    if end <= len(data) and not (_WIDTH in tags and _HEIGHT in tags):
        raise BadImage(Reason.CORRUPT, "TIFF without a size")
    sides = {tag: int(tags[tag][0]) if tag in tags else 1 for tag in (_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT)}
    return Header(
        width=sides[_WIDTH] and max(sides[_WIDTH], sides[_TILE_WIDTH]),  # a size of 0 stays 0
        height=sides[_HEIGHT] and max(sides[_HEIGHT], sides[_TILE_HEIGHT]),
        end=end,
        bits=int(tags[_BITS].max()) if _BITS in tags else 1,
    )


HEADERS: dict[str, Callable[[bytes], Header]] = {
    "JPEG": _jpeg_header,
    "PNG": _png_header,
    "WEBP": _webp_header,
    "GIF": _gif_header,
    "TIFF": _tiff_header,
}
