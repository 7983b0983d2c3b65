"""Untrusted image bytes to sRGB pixels, and the square training image that is cut from them.

The header of a file is read here, before Pillow sees it: Pillow's own readers of WebP and GIF allocate the whole canvas
as they open, so that a limit checked after ``Image.open`` would be checked too late.
"""

import io
import re
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION, TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from schemas.failures import Reason

# Pillow's limit is one number for the whole process. Ours goes by call, and is checked before Pillow allocates.
Image.MAX_IMAGE_PIXELS = None
# Once, here: warnings.catch_warnings swaps the state of the whole process, and decode runs in many threads.
warnings.filterwarnings("ignore", module=r"PIL\.")

BOMB_PIXELS_PER_BYTE = 50  # a photo has 0.5 to 10; a plain PNG can have 1,000 and be harmless when small
MAX_JPEG_SCANS = 200  # an encoder writes 10. Empty scans cost a few bytes each, and a pass over the image
JPEG_QUALITY, JPEG_SUBSAMPLING = 95, 0  # 0 is 4:4:4: half the resolution of colour would be lost on eyes and lips
REDUCING_GAP = 3.0  # shrink by whole factors first, down to 3 x the target: as good as LANCZOS alone, and faster
SAME_COLOUR = 2  # a profile that moves no colour by more than this many levels of 255 is sRGB under another name

_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "I;16B"}
_PROFILE_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SRGB = ImageCms.createProfile("sRGB")


class BadImage(Exception):
    """An image that cannot be used, as is to be expected among millions: a row of failures, not an error."""

    def __init__(self, reason: Reason, message: str):
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


@dataclass(frozen=True, kw_only=True)
class DecodedImage:
    """Pixels to look at: uint8 [height, width, 3], sRGB, upright."""

    pixels: np.ndarray
    faithful: bool  # the bytes, in any plain decoder, give exactly these pixels
    format: str  # "JPEG", "PNG", "WEBP", "GIF" or "TIFF"


@dataclass(frozen=True, kw_only=True)
class TrainingImage:
    """A square image to store: contiguous pixels, uint8 [side, side, 3], and the bytes of the file that holds them."""

    pixels: np.ndarray
    data: bytes


def decode(data: bytes, *, max_pixels: int = 2**26, smallest_side: int | None = None) -> DecodedImage:
    """Decodes the first frame of a JPEG, PNG, WebP, GIF or TIFF, told by its content. Safe in many threads.

    Args:
        data: the bytes of the file.
        max_pixels: refuse images of more pixels, before any is decoded.
        smallest_side: the caller will shrink the image to no less than this. A JPEG is then decoded at 1/2, 1/4 or 1/8,
            whichever keeps the smaller side at twice this or more.

    Raises:
        BadImage: nothing else, but for MemoryError.
    """
    name = _sniff(data)
    header = _HEADERS[name](data)
    _check_size(header.width, header.height, len(data), max_pixels)
    if header.end > len(data):
        raise BadImage(Reason.TRUNCATED, f"{name} of {header.end:,} bytes or more ends after {len(data):,}")
    try:
        return _decode(data, name, header, max_pixels, smallest_side)
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # whatever a broken file makes Pillow raise: over the years, nearly every type
        reason = Reason.TRUNCATED if "truncated" in str(error).lower() else Reason.CORRUPT
        raise BadImage(reason, f"{name} does not decode: {str(error) or type(error).__name__}") from error


def training_image(decoded: DecodedImage, data: bytes, resolution: int) -> TrainingImage:
    """The centre square of an image, at most ``resolution`` a side and never enlarged.

    ``data`` is kept as it is where it already holds exactly these pixels. Otherwise it is a JPEG of them; the pixels
    returned are those before the loss.
    """
    height, width = decoded.pixels.shape[:2]
    crop = min(height, width)
    side = min(crop, resolution)
    if decoded.faithful and side == height == width:
        return TrainingImage(pixels=np.ascontiguousarray(decoded.pixels), data=data)
    left, top = (width - crop) // 2, (height - crop) // 2
    image = Image.fromarray(np.ascontiguousarray(decoded.pixels[top : top + crop, left : left + crop]))
    if side < crop:
        image = image.resize((side, side), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=JPEG_SUBSAMPLING)
    return TrainingImage(pixels=np.array(image), data=file.getvalue())


# --- From the opened file to pixels


def _decode(data: bytes, name: str, header: "_Header", max_pixels: int, smallest_side: int | None) -> DecodedImage:
    image = _open(data, name)
    _check_size(*image.size, len(data), max_pixels)  # for Pillow may have read another size than we did
    plain = _is_plain(image, header)
    if smallest_side is not None and isinstance(image, JpegImageFile):
        full = image.size
        image.draft(None, (2 * smallest_side, 2 * smallest_side))
        plain = plain and image.size == full
    image.load()
    _check_size(*image.size, len(data), max_pixels)
    colour, alpha = _separate(image, header.bits)
    rgb, converted = _to_srgb(colour, image.info.get("icc_profile"))
    turn = _TURNS.get(_orientation(image))
    if alpha is not None:
        white = Image.new("RGB", rgb.size, "white")
        white.paste(rgb, mask=alpha)
        rgb = white
    if turn is not None:
        rgb = rgb.transpose(turn)
    return DecodedImage(pixels=np.array(rgb), faithful=plain and not converted and turn is None, format=name)


def _is_plain(image: ImageFile.ImageFile, header: "_Header") -> bool:
    """Whether the file, just opened, holds 8-bit RGB or grey in one frame, and (for TIFF) upright.

    Pillow turns a TIFF as it loads, and then forgets that it did: this is the moment to ask.
    """
    several = "mp" in image.info or image.format == "GIF" or getattr(image, "is_animated", False)
    turned = isinstance(image, TiffImageFile) and _orientation(image) in _TURNS
    eight_bit = image.mode in ("L", "RGB") and header.bits <= 8
    return eight_bit and "transparency" not in image.info and not several and not turned


def _orientation(image: ImageFile.ImageFile) -> int:
    """The EXIF orientation: 1 is upright, and what a broken EXIF is taken to say."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation)
    except MemoryError:
        raise
    except Exception:  # from struct.error to ZeroDivisionError, as in decode
        value = None
    return value if isinstance(value, int) else 1


def _separate(image: ImageFile.ImageFile, bits: int) -> tuple[Image.Image, Image.Image | None]:
    """Splits any image into colour (mode L, RGB or CMYK) and alpha (mode L, or None where all is opaque)."""
    if image.mode not in _MODES:
        raise BadImage(Reason.UNSUPPORTED, f"{image.format} with pixels of mode {image.mode}, which is not read")
    if image.mode.startswith("I;16"):
        return _from_16_bit(image, bits)
    if image.mode == "CMYK":
        return image, None
    _scale_colour_key(image, bits)
    grey = image.mode in ("1", "L", "LA")
    if not image.has_transparency_data:
        opaque = "L" if grey else "RGB"
        return (image if image.mode == opaque else image.convert(opaque)), None
    *colour, alpha = image.convert("LA" if grey else "RGBA").split()
    return Image.merge("L" if grey else "RGB", colour), alpha


def _from_16_bit(image: ImageFile.ImageFile, bits: int) -> tuple[Image.Image, Image.Image | None]:
    """Grey of 12 or 16 bits, scaled to 8: Pillow's own convert("L") clips at 255."""
    values = np.asarray(image).astype(np.uint32)
    key = image.info.get("transparency")
    alpha = None if key is None else Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))
    largest = 2**bits - 1
    if isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == 0:
        values = largest - values  # 0 is white: Pillow inverts this for 8 bits, and forgets it for 16
    return Image.fromarray(((values * 255 + largest // 2) // largest).astype(np.uint8)), alpha


def _scale_colour_key(image: ImageFile.ImageFile, bits: int) -> None:
    """Brings the transparent colour of a PNG to 8 bits: Pillow scales the pixels, and leaves this as it was."""
    key = image.info.get("transparency")
    if image.mode == "RGB" and bits == 16 and isinstance(key, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in key)
    elif image.mode == "L" and bits < 8 and isinstance(key, int):
        image.info["transparency"] = key * 255 // (2**bits - 1)


def _to_srgb(colour: Image.Image, profile: object) -> tuple[Image.Image, bool]:
    """Colour (mode L, RGB or CMYK) as sRGB (mode RGB), and whether a profile had a part in it.

    A profile that is broken, or for other channels than these, is ignored.
    """
    mode = _PROFILE_MODES.get(profile[16:20]) if isinstance(profile, bytes) else None
    if mode == "RGB" and colour.mode == "L":
        colour = colour.convert("RGB")
    transform = _transform(profile, mode) if isinstance(profile, bytes) and mode == colour.mode else None
    if transform is not None:
        return transform.apply(colour), True
    return (colour if colour.mode == "RGB" else colour.convert("RGB")), False


@lru_cache(maxsize=32)  # archives hold a handful of profiles; one for CMYK can be 2 MB
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way from a profile to sRGB, None where it leads nowhere: a broken profile, or sRGB itself."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.ImageCmsTransform(source, ImageCms.ImageCmsProfile(_SRGB), mode, "RGB")
    except MemoryError:
        raise
    except Exception:  # OSError, ValueError, PyCMSError ...
        return None
    if mode == "CMYK":
        return transform
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(9, 81, 3)
    probe = Image.fromarray(grid if mode == "RGB" else np.arange(256, dtype=np.uint8)[None])
    before = np.asarray(probe.convert("RGB")).astype(int)
    return transform if np.abs(np.asarray(transform.apply(probe)) - before).max() > SAME_COLOUR else None


# --- What the bytes are


_SIGNATURES = {  # a dot is any byte
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "WEBP": (b"RIFF....WEBP",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
}
_UNSUPPORTED = {
    "BMP": rb"BM.{4}\0{4}",
    "HEIC": rb".{4}ftyp(hei|hev|mif1|msf1)",
    "AVIF": rb".{4}ftypavi[fs]",
    "ICO": rb"\0\0[\1\2]\0[^\0]",
    "JPEG 2000": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL ",
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


def _sniff(data: bytes) -> str:
    """The name of the format, by its signature. Raises BadImage where it is none of ours, with what it is instead."""
    if not data:
        raise BadImage(Reason.EMPTY, "no bytes at all")
    for name, signatures in _SIGNATURES.items():
        if any(_agree(signature, data) for signature in signatures):
            if len(data) < len(signatures[0]):
                raise BadImage(Reason.TRUNCATED, f"ends after {len(data)} bytes, within the signature of a {name}")
            return name
    start = data[:1024].removeprefix(b"\xef\xbb\xbf")
    for name, pattern in _UNSUPPORTED.items():
        if re.match(pattern, start, re.DOTALL):
            raise BadImage(Reason.UNSUPPORTED, f"{name} is not read: convert it to {', '.join(_SIGNATURES)}")
    for what, pattern in _NO_IMAGES.items():
        if re.match(pattern, start, re.DOTALL):
            raise BadImage(Reason.NOT_AN_IMAGE, f"this is {what}, not an image: it begins with {data[:16]!r}")
    raise BadImage(Reason.NOT_AN_IMAGE, f"no known image begins with {data[:16]!r}")


def _agree(signature: bytes, data: bytes) -> bool:
    """Whether the data begins with a signature, or is cut within it."""
    return all(want in (have, ord(".")) for want, have in zip(signature, data, strict=False))


# --- Headers: the size of the image, and how long a whole file is at least


@dataclass(frozen=True, kw_only=True)
class _Header:
    width: int  # of what a decoder will allocate: the canvas, or the tile where that is larger
    height: int
    end: int  # where the last byte that is needed ends: beyond the end of the data if this is cut short
    bits: int = 8  # of a sample


def _check_size(width: int, height: int, size: int, max_pixels: int) -> None:
    """Raises BadImage for an image without pixels, or with too many."""
    if width <= 0 or height <= 0:
        raise BadImage(Reason.ZERO_SIZE, f"{width} x {height} pixels")
    pixels = width * height
    if pixels > max_pixels:
        reason = Reason.BOMB if pixels > BOMB_PIXELS_PER_BYTE * size else Reason.TOO_LARGE
        raise BadImage(reason, f"{width} x {height} pixels in {size:,} bytes; the limit is {max_pixels:,} pixels")


def _read(data: bytes, at: int, layout: str) -> tuple[int, ...]:
    """Numbers at a position. Raises BadImage if the data ends before."""
    if at + struct.calcsize(layout) > len(data):
        raise BadImage(Reason.TRUNCATED, f"ends after {len(data):,} bytes, within the header or what it points to")
    return struct.unpack_from(layout, data, at)


def _jpeg_header(data: bytes) -> _Header:
    """Walks the segments, so that the thumbnail within one of them is stepped over."""
    at, frame = 2, None
    while True:
        at = data.find(b"\xff", at)
        (marker,) = _read(data, at + 1 if at >= 0 else len(data), "B")
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:  # stuffing, and markers without a segment
            at += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9:
            raise BadImage(Reason.CORRUPT, "JPEG without an image")
        (length,) = _read(data, at + 2, ">H")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            frame = _read(data, at + 4, ">BHHB")
        at += 2 + length
        if marker == 0xDA:
            break
    if frame is None:
        raise BadImage(Reason.CORRUPT, "JPEG without a frame header")
    bits, height, width, channels = frame
    if bits != 8 or channels not in (1, 3, 4):
        raise BadImage(Reason.UNSUPPORTED, f"JPEG with {channels} channels of {bits} bits")
    if (scans := data.count(b"\xff\xda", at)) > MAX_JPEG_SCANS:
        raise BadImage(Reason.BOMB, f"JPEG with {scans} scans; the limit is {MAX_JPEG_SCANS}")
    end = data.find(b"\xff\xd9", at)  # cannot occur within a scan, where 00 follows every FF
    return _Header(width=width, height=height, end=end + 2 if end >= 0 else len(data) + 2)


def _png_header(data: bytes) -> _Header:
    """Walks the chunks to the last, and checks those that matter: Pillow does not look at the checksum of pixels."""
    width, height = _read(data, 16, ">II")
    (bits,) = _read(data, 24, "B")
    if data[12:16] != b"IHDR":
        raise BadImage(Reason.CORRUPT, f"PNG that begins with {data[12:16]!r}")
    at, kind, view = 8, b"", memoryview(data)
    while kind != b"IEND":
        if at + 8 > len(data):
            return _Header(width=width, height=height, end=at + 8, bits=bits)
        (length,) = _read(data, at, ">I")
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end <= len(data) and kind.isupper():
            (checksum,) = _read(data, end - 4, ">I")
            if zlib.crc32(view[at + 4 : end - 4]) != checksum:
                raise BadImage(Reason.CORRUPT, f"PNG with a wrong checksum of {kind!r}")
        at = end
    return _Header(width=width, height=height, end=at, bits=bits)


def _webp_header(data: bytes) -> _Header:
    (size,) = _read(data, 4, "<I")
    _read(data, 29, "B")  # the longest header
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        (packed,) = _read(data, 21, "<I")
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in _read(data, 26, "<HH"))
    else:
        raise BadImage(Reason.CORRUPT, f"WebP that begins with {kind!r}")
    return _Header(width=width, height=height, end=8 + size)


def _gif_header(data: bytes) -> _Header:
    """Walks the blocks to the end of the first frame. A frame may be larger than the screen it stands on."""
    width, height, flags = _read(data, 6, "<HHB")
    at = 13 + _colour_table(flags)
    while True:
        (block,) = _read(data, at, "B")
        if block == 0x3B:
            raise BadImage(Reason.CORRUPT, "GIF without an image")
        if block == 0x2C:
            left, top, wide, high, flags = _read(data, at + 1, "<HHHHB")
            end = _after_blocks(data, at + 11 + _colour_table(flags))
            return _Header(width=max(width, left + wide), height=max(height, top + high), end=end)
        if block == 0x21:
            label, length = _read(data, at + 1, "BB")
            at = _after_blocks(data, at + 2)
            if length == 0 and label != 0xFE:  # Pillow reads on here: stay in step, or it might see another size
                at = _after_blocks(data, at)
        else:
            at += 1


def _colour_table(flags: int) -> int:
    """Bytes of the colour table of a GIF."""
    return 6 << (flags & 7) if flags & 128 else 0


def _after_blocks(data: bytes, at: int) -> int:
    """Where a chain of sub-blocks ends, each of which begins with its length."""
    while length := _read(data, at, "B")[0]:
        at += 1 + length
    return at + 1


_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_TIFF_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 16: "u8"}
_WIDTH, _HEIGHT, _BITS, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 258, 322, 323
_DATA = {273: 279, 324: 325}  # where the strips and the tiles lie: how long they are


def _tiff_header(data: bytes) -> _Header:
    """Reads the first directory. All that it points to must be there."""
    order = "<" if data.startswith(b"II") else ">"
    big = b"+" in data[2:4]
    number, inline, stride = ("Q", 8, 20) if big else ("I", 4, 12)
    (at,) = _read(data, inline, order + number)
    (entries,) = _read(data, at, order + ("Q" if big else "H"))
    first = at + (8 if big else 2)
    end = first + entries * stride + inline
    tags: dict[int, np.ndarray] = {}
    for entry in range(first, first + entries * stride, stride):
        tag, kind, count = _read(data, entry, order + "HH" + number)
        where, size = entry + stride - inline, count * _TIFF_SIZES.get(kind, 1)
        if size > inline:
            (where,) = _read(data, where, order + number)
        end = max(end, where + size)
        if kind in _TIFF_INTEGERS and count and where + size <= len(data):
            tags[tag] = np.frombuffer(data, order + _TIFF_INTEGERS[kind], count, where)
    for offsets, lengths in _DATA.items():
        if offsets in tags and lengths in tags:
            n = min(len(tags[offsets]), len(tags[lengths]))
            end = max(end, int((tags[offsets][:n].astype(float) + tags[lengths][:n]).max()))
    if end <= len(data) and not (_WIDTH in tags and _HEIGHT in tags):
        raise BadImage(Reason.CORRUPT, "TIFF without a size")
    sides = {tag: int(tags[tag][0]) if tag in tags else 1 for tag in (_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT)}
    return _Header(
        width=sides[_WIDTH] and max(sides[_WIDTH], sides[_TILE_WIDTH]),  # a size of 0 stays 0
        height=sides[_HEIGHT] and max(sides[_HEIGHT], sides[_TILE_HEIGHT]),
        end=end,
        bits=int(tags[_BITS].max()) if _BITS in tags else 1,
    )


_HEADERS: dict[str, Callable[[bytes], _Header]] = {
    "JPEG": _jpeg_header,
    "PNG": _png_header,
    "WEBP": _webp_header,
    "GIF": _gif_header,
    "TIFF": _tiff_header,
}
# The classes, rather than Image.open: they say what is wrong instead of "cannot identify", and a JPEG with a broken
# index of further pictures (MPO) is still a JPEG.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "GIF": GifImageFile,
    "TIFF": TiffImageFile,
}


def _open(data: bytes, name: str) -> ImageFile.ImageFile:
    try:
        return _PLUGINS[name](io.BytesIO(data))
    except (SyntaxError, OSError) as error:
        if name != "TIFF":
            raise
        # Its directory is whole and names a size, so it is the layout of the pixels that Pillow has no reader for.
        raise BadImage(Reason.UNSUPPORTED, f"TIFF with a layout that is not read: {error}") from error
