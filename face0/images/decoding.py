"""Untrusted image bytes to sRGB pixels."""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image, ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION, TiffImageFile

from face0.images.bmp import bmp_header
from face0.images.cicp import ADOBE_RGB, Cicp, profile_of, refuse_hdr
from face0.images.exif import is_adobe_rgb
from face0.images.headers import HEADERS, MAX_PIXELS_PER_BYTE, SMALL_PIXELS, Header, check_size, sniff
from face0.images.heif import heif_header
from face0.images.jpeg2000 import jpeg2000_header
from face0.images.jxl import jxl_header
from face0.images.orientation import SIDEWAYS, TURNS, exif_orientation, stored_orientation, upright
from face0.images.plugins import BmpFile, JpegFile, TiffFile, WebPFile, open_heic, open_jxl
from face0.images.profiles import TRANSFORMS, hdr_curve
from face0.images.reading import BadImage
from schemas.failures import Reason

# Pillow's limit is one number for the whole process. Ours goes by call, and is checked before Pillow allocates.
Image.MAX_IMAGE_PIXELS = None
# Once, here: warnings.catch_warnings swaps the state of the whole process, and decode runs in many threads.
warnings.filterwarnings("ignore", module=r"PIL\.")

REDUCING_GAP = 3.0  # shrink by whole factors first, down to 3 x the target: as good as LANCZOS alone, and faster

_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "I;16B"}
_PROFILE_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
_STRIP_PIXELS = 2**20  # converted at a time

# What decoding takes of memory at most. HEIC of over 8 bits, with alpha and whole colours, takes the most for a pixel.
# Next are JPEG 2000, with a number of 4 bytes for each sample, and WebP: its decoder has the canvas twice, gives out a
# copy, and Pillow makes another.
BYTES_PER_PIXEL = 24
BYTES_PER_FILE_BYTE = 4
BYTES_BESIDE = 64 * 2**20


def memory_bound(size: int, max_pixels: int) -> int:
    """Bytes of memory that ``decode`` takes at most of a file of ``size`` bytes, the result included."""
    pixels = min(max_pixels, max(SMALL_PIXELS, MAX_PIXELS_PER_BYTE * size))
    return BYTES_PER_PIXEL * pixels + BYTES_PER_FILE_BYTE * size + BYTES_BESIDE


@dataclass(frozen=True, kw_only=True)
class DecodedImage:
    """An image as pixels to look at.

    Attributes:
        pixels: uint8 [height, width, 3], sRGB, upright.
        faithful: whether the bytes, in any plain decoder, give exactly these pixels.
        format: "JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "HEIC", "JPEG XL", "JPEG 2000" or "BMP".
        size: width and height of the whole image, upright: that of the pixels, or a multiple of it.
    """

    pixels: np.ndarray
    faithful: bool
    format: str
    size: tuple[int, int]


def decode(data: bytes, *, max_pixels: int = 2**26, smallest_side: int | None = None) -> DecodedImage:
    """Decodes the first frame, or the main picture, of a file of any of the formats, told by its content.

    Safe in many threads.

    Args:
        data: the bytes of the file.
        max_pixels: refuse images of more pixels, before any is decoded.
        smallest_side: the caller will shrink the image to no less than this. A JPEG is then decoded at 1/2, 1/4 or 1/8,
            whichever keeps the smaller side at twice this or more.

    Memory is bounded by the file's own size, see ``memory_bound``.

    Raises:
        BadImage: nothing else, but for MemoryError.
    """
    name = sniff(data)
    try:
        header = _HEADERS[name](data)
        name = header.codec or name
        check_size(header.width, header.height, len(data), max_pixels)
        if header.end > len(data):
            raise BadImage(Reason.TRUNCATED, f"{name} of {header.end:,} bytes or more ends after {len(data):,}")
        return _decode(data, name, header, max_pixels, smallest_side)
    except (BadImage, MemoryError):
        raise
    except ModuleNotFoundError as error:
        raise BadImage(Reason.UNSUPPORTED, f"{name} is read with the package {error.name}: install it") from error
    except Exception as error:  # of nearly every type, and a text that may quote the file
        reason = Reason.TRUNCATED if "truncated" in str(error).lower() else Reason.CORRUPT
        cut = ": it is cut short, or corrupt" if name == "JPEG XL" else ""  # the decoder does not tell which
        raise BadImage(reason, f"{name} does not decode ({type(error).__name__}){cut}") from error


def decode_opened(image: Image.Image, *, smallest_side: int | None = None) -> DecodedImage:
    """Turns an image that Pillow has opened into the pixels that ``decode`` makes of its file.

    Exactly these, where the file is still unread, as it is after ``Image.open``. Of an image that is in memory the
    pixels are converted in the same way: it is turned upright by its EXIF, brought to sRGB by its profile, and put on
    white. (Only a JPEG that ``decode`` would have read at a half or less then differs by a little. And of the colours
    of an AVIF in memory no more is known than its ICC profile.)

    Args:
        image: is left as it is, read or unread.
        smallest_side: as for ``decode``.

    Raises:
        BadImage: the image does not decode, or its pixels are of a kind that is not read.
    """
    data = _unread_bytes(image)
    if data is not None:
        return decode(data, smallest_side=smallest_side)
    try:
        copy = image.copy()
        # The plugin of JPEG XL turns the pixels, and leaves the EXIF as it was.
        orientation = 1 if image.format == "JXL" else exif_orientation(copy)
        numbers = copy.info.get("nclx_profile")  # as pillow-heif leaves it
        if isinstance(numbers, dict):
            colours = Cicp(numbers["color_primaries"], numbers["transfer_characteristics"])
            copy.info.setdefault("icc_profile", profile_of(colours, "HEIC"))
        pixels, _ = _upright_srgb(copy, 16 if image.mode.startswith("I;16") else 8, orientation)
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # as in decode: the copy has loaded what was not loaded before
        raise BadImage(Reason.CORRUPT, f"the image does not load ({type(error).__name__})") from error
    size = (pixels.shape[1], pixels.shape[0])
    return DecodedImage(pixels=pixels, faithful=False, format=image.format or "", size=size)


def _unread_bytes(image: Image.Image) -> bytes | None:
    """The file of an image of which Pillow has read no more than the head; None if there is no such, or it is gone."""
    file = getattr(image, "fp", None)
    is_unread = isinstance(image, ImageFile.ImageFile) and image.tile and image.tell() == 0
    if not is_unread or file is None or file.closed or image.format not in _BY_PILLOW:
        return None
    position = file.tell()
    file.seek(0)
    try:
        return bytes(file.read())
    finally:
        file.seek(position)


# --- From the opened file to pixels


def _decode(data: bytes, name: str, header: "Header", max_pixels: int, smallest_side: int | None) -> DecodedImage:
    image = _open(data, name, header)
    check_size(*image.size, len(data), max_pixels)  # for Pillow may have read another size than we did
    plain, full = _is_plain(image, name, header), image.size
    if header.profile is not None:
        plain = plain and "icc_profile" not in image.info
        image.info["icc_profile"] = header.profile
    if smallest_side is not None and isinstance(image, JpegImageFile):
        image.draft(None, (2 * smallest_side, 2 * smallest_side))
    is_whole = image.size == full
    image.load()
    check_size(*image.size, len(data), max_pixels)
    if header.crop is not None:
        image = image.crop(header.crop)
        full = image.size
    orientation = stored_orientation(image) if header.orientation is None else header.orientation
    pixels, as_stored = _upright_srgb(image, header.bits, orientation)
    if is_whole:
        full = (pixels.shape[1], pixels.shape[0])
    elif orientation in SIDEWAYS:
        full = full[::-1]
    return DecodedImage(pixels=pixels, faithful=plain and is_whole and as_stored, format=name, size=full)


def _upright_srgb(image: Image.Image, bits: int, orientation: int) -> tuple[np.ndarray, bool]:
    """A loaded image upright, in sRGB, on white; and whether no profile and no turn had a part in it.

    Strip by strip, so that no more than one image of Pillow's and the result are whole in memory.
    """
    if image.mode not in _MODES:
        kind = image.format or "an image"
        raise BadImage(Reason.UNSUPPORTED, f"{kind} with pixels of mode {image.mode}, which is not read")
    _scale_colour_key(image, bits)
    # 0 is white: Pillow inverts this for 8 bits, and forgets it for 16
    inverted = isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == 0
    profile = image.info.get("icc_profile")
    if profile is None and is_adobe_rgb(image):
        profile = ADOBE_RGB
    if isinstance(profile, bytes) and (curve := hdr_curve(profile)):
        refuse_hdr(curve, image.format or "an image")
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    converted = False
    for top in range(0, height, rows):
        strip = image if rows >= height else image.crop((0, top, width, min(top + rows, height)))
        colour, alpha = _separate(strip, bits, inverted)
        rgb, converted = _to_srgb(colour, profile)
        if alpha is not None:
            white = Image.new("RGB", rgb.size, "white")
            white.paste(rgb, mask=alpha)
            rgb = white
        pixels[top : top + rows] = np.asarray(rgb)
    return upright(pixels, orientation), not converted and orientation not in TURNS


def _is_plain(image: Image.Image, name: str, header: "Header") -> bool:
    """Whether the file, just opened, holds 8-bit RGB or grey in one frame, in a format that readers of shards know."""
    if name not in _IN_SHARDS:
        return False
    several = "mp" in image.info or image.format == "GIF" or getattr(image, "is_animated", False)
    eight_bit = image.mode in ("L", "RGB") and header.bits <= 8
    return eight_bit and "transparency" not in image.info and not several


def _separate(image: Image.Image, bits: int, inverted: bool) -> tuple[Image.Image, Image.Image | None]:
    """Splits any image into colour (mode L, RGB or CMYK) and alpha (mode L, or None where all is opaque)."""
    if image.mode.startswith("I;16"):
        return _from_16_bit(image, bits, inverted)
    if image.mode == "CMYK":
        return image, None
    grey = image.mode in ("1", "L", "LA")
    if not image.has_transparency_data:
        opaque = "L" if grey else "RGB"
        return (image if image.mode == opaque else image.convert(opaque)), None
    *colour, alpha = image.convert("LA" if grey else "RGBA").split()
    return Image.merge("L" if grey else "RGB", colour), alpha


def _from_16_bit(image: Image.Image, bits: int, inverted: bool) -> tuple[Image.Image, Image.Image | None]:
    """Grey of 12 or 16 bits, scaled to 8: Pillow's own convert("L") clips at 255."""
    values = np.asarray(image).astype(np.uint32)
    key = image.info.get("transparency")
    alpha = None if key is None else Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))
    largest = 2**bits - 1
    if inverted:
        values = largest - values
    return Image.fromarray(((values * 255 + largest // 2) // largest).astype(np.uint8)), alpha


def _scale_colour_key(image: Image.Image, bits: int) -> None:
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
    transform = TRANSFORMS.get(profile, mode) if isinstance(profile, bytes) and mode == colour.mode else None
    if transform is not None:
        return transform.apply(colour), True
    return (colour if colour.mode == "RGB" else colour.convert("RGB")), False


# The classes, rather than Image.open: they say what is wrong instead of "cannot identify", and a JPEG with a broken
# index of further pictures (MPO) is still a JPEG.
_OPENERS: dict[str, Callable[[io.BytesIO], Image.Image]] = {
    "JPEG": JpegFile,
    "PNG": PngImageFile,
    "WEBP": WebPFile,
    "GIF": GifImageFile,
    "TIFF": TiffFile,
    "AVIF": AvifImageFile,
    "HEIC": open_heic,
    "JPEG XL": open_jxl,
    "JPEG 2000": Jpeg2KImageFile,
    "BMP": BmpFile,
}
_IN_SHARDS = frozenset(HEADERS)
_HEADERS: dict[str, Callable[[bytes], Header]] = HEADERS | {
    "AVIF": partial(heif_header, name="AVIF"),
    "HEIC": partial(heif_header, name="HEIC"),
    "JPEG XL": jxl_header,
    "JPEG 2000": jpeg2000_header,
    "BMP": bmp_header,
}
# As Pillow and the plugins call them
_BY_PILLOW = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "HEIF", "JPEG2000", "BMP")
_LAYOUTS = ("TIFF", "BMP")


def _open(data: bytes, name: str, header: "Header") -> Image.Image:
    needed = data if header.file is None else header.file
    if header.spans is not None:
        needed = b"".join(memoryview(data)[start:stop] for start, stop in header.spans)
    try:
        return _OPENERS[name](io.BytesIO(needed))
    except (SyntaxError, OSError) as error:
        if name not in _LAYOUTS:
            raise
        # Its header is whole and names a size, so it is the layout of the pixels that Pillow has no reader for.
        raise BadImage(Reason.UNSUPPORTED, f"{name} with a layout that is not read") from error
