"""Untrusted image bytes to sRGB pixels."""

import io
import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION, TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from face0.images.headers import HEADERS, BadImage, Header, check_size, sniff
from schemas.failures import Reason

# Pillow's limit is one number for the whole process. Ours goes by call, and is checked before Pillow allocates.
Image.MAX_IMAGE_PIXELS = None
# Once, here: warnings.catch_warnings swaps the state of the whole process, and decode runs in many threads.
warnings.filterwarnings("ignore", module=r"PIL\.")

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
_SIDEWAYS = (5, 6, 7, 8)  # orientations in which width and height change places
_SRGB = ImageCms.createProfile("sRGB")


@dataclass(frozen=True, kw_only=True)
class DecodedImage:
    """An image as pixels to look at.

    Attributes:
        pixels: uint8 [height, width, 3], sRGB, upright.
        faithful: whether the bytes, in any plain decoder, give exactly these pixels.
        format: "JPEG", "PNG", "WEBP", "GIF" or "TIFF".
        size: width and height of the whole image, upright: that of the pixels, or a multiple of it.
    """

    pixels: np.ndarray
    faithful: bool
    format: str
    size: tuple[int, int]


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
    name = sniff(data)
    header = HEADERS[name](data)
    check_size(header.width, header.height, len(data), max_pixels)
    if header.end > len(data):
        raise BadImage(Reason.TRUNCATED, f"{name} of {header.end:,} bytes or more ends after {len(data):,}")
    try:
        return _decode(data, name, header, max_pixels, smallest_side)
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # of nearly every type, and a text that may quote the file
        reason = Reason.TRUNCATED if "truncated" in str(error).lower() else Reason.CORRUPT
        raise BadImage(reason, f"{name} does not decode ({type(error).__name__})") from error


def decode_opened(image: Image.Image, *, smallest_side: int | None = None) -> DecodedImage:
    """Turns an image that Pillow has opened into the pixels that ``decode`` makes of its file.

    Exactly these, where the file is still unread, as it is after ``Image.open``. Of an image that is in memory the
    pixels are converted in the same way: it is turned upright by its EXIF, brought to sRGB by its profile, and put on
    white. (Only a JPEG that ``decode`` would have read at a half or less then differs by a little.)

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
        rgb, _ = _upright_srgb(image.copy(), bits=16 if image.mode.startswith("I;16") else 8)
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # as in decode: the copy has loaded what was not loaded before
        raise BadImage(Reason.CORRUPT, f"the image does not load ({type(error).__name__})") from error
    return DecodedImage(pixels=np.array(rgb), faithful=False, format=image.format or "", size=rgb.size)


def _unread_bytes(image: Image.Image) -> bytes | None:
    """The file of an image of which Pillow has read no more than the head; None if there is no such, or it is gone."""
    file = getattr(image, "fp", None)
    is_unread = isinstance(image, ImageFile.ImageFile) and image.tile and image.tell() == 0
    if not is_unread or file is None or file.closed or image.format not in (*_PLUGINS, "MPO"):
        return None
    position = file.tell()
    file.seek(0)
    try:
        return bytes(file.read())
    finally:
        file.seek(position)


# --- From the opened file to pixels


def _decode(data: bytes, name: str, header: "Header", max_pixels: int, smallest_side: int | None) -> DecodedImage:
    image = _open(data, name)
    check_size(*image.size, len(data), max_pixels)  # for Pillow may have read another size than we did
    plain, full = _is_plain(image, header), image.size
    if smallest_side is not None and isinstance(image, JpegImageFile):
        image.draft(None, (2 * smallest_side, 2 * smallest_side))
    is_whole = image.size == full
    image.load()
    check_size(*image.size, len(data), max_pixels)
    rgb, as_stored = _upright_srgb(image, header.bits)
    if is_whole:
        full = rgb.size
    elif _orientation(image) in _SIDEWAYS:
        full = full[::-1]
    return DecodedImage(pixels=np.array(rgb), faithful=plain and is_whole and as_stored, format=name, size=full)


def _upright_srgb(image: Image.Image, bits: int) -> tuple[Image.Image, bool]:
    """A loaded image upright, in sRGB, on white; and whether no profile and no turn had a part in it."""
    colour, alpha = _separate(image, bits)
    rgb, converted = _to_srgb(colour, image.info.get("icc_profile"))
    turn = _TURNS.get(_orientation(image))
    if alpha is not None:
        white = Image.new("RGB", rgb.size, "white")
        white.paste(rgb, mask=alpha)
        rgb = white
    if turn is not None:
        rgb = rgb.transpose(turn)
    return rgb, not converted and turn is None


def _is_plain(image: ImageFile.ImageFile, header: "Header") -> bool:
    """Whether the file, just opened, holds 8-bit RGB or grey in one frame, and (for TIFF) upright.

    Pillow turns a TIFF as it loads, and then forgets that it did: this is the moment to ask.
    """
    several = "mp" in image.info or image.format == "GIF" or getattr(image, "is_animated", False)
    turned = isinstance(image, TiffImageFile) and _orientation(image) in _TURNS
    eight_bit = image.mode in ("L", "RGB") and header.bits <= 8
    return eight_bit and "transparency" not in image.info and not several and not turned


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation: 1 is upright, and what a broken EXIF is taken to say."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation)
    except MemoryError:
        raise
    except Exception:  # from struct.error to ZeroDivisionError, as in decode
        value = None
    return value if isinstance(value, int) else 1


def _separate(image: Image.Image, bits: int) -> tuple[Image.Image, Image.Image | None]:
    """Splits any image into colour (mode L, RGB or CMYK) and alpha (mode L, or None where all is opaque)."""
    if image.mode not in _MODES:
        kind = image.format or "an image"
        raise BadImage(Reason.UNSUPPORTED, f"{kind} with pixels of mode {image.mode}, which is not read")
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


def _from_16_bit(image: Image.Image, bits: int) -> tuple[Image.Image, Image.Image | None]:
    """Grey of 12 or 16 bits, scaled to 8: Pillow's own convert("L") clips at 255."""
    values = np.asarray(image).astype(np.uint32)
    key = image.info.get("transparency")
    alpha = None if key is None else Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))
    largest = 2**bits - 1
    if isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == 0:
        values = largest - values  # 0 is white: Pillow inverts this for 8 bits, and forgets it for 16
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
        raise BadImage(Reason.UNSUPPORTED, "TIFF with a layout that is not read") from error
