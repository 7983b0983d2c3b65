"""Which side of an image is up, and turning it there."""

import re
import struct

import numpy as np
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import TiffImageFile

from face0.images.exif import entries, exif_of, first_directory

SIDEWAYS = (5, 6, 7, 8)  # orientations in which width and height change places
TURNS = (2, 3, 4, *SIDEWAYS)  # 1 is upright

_INTEGERS = {3: "H", 4: "I", 8: "h", 9: "i"}  # types of a value, of those that fit into an entry
_XMP = re.compile(rb'tiff:Orientation(="|>)([0-9])')


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turns pixels [height, width, channels] as their EXIF orientation asks; contiguous."""
    if orientation not in TURNS:
        return pixels
    if orientation in SIDEWAYS:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def stored_orientation(image: Image.Image) -> int:
    """The EXIF orientation of an opened file: 1 is upright, and what a broken EXIF is taken to say.

    Only the one entry is read: Pillow's own reader of EXIF copies all that any entry points to.
    """
    value = _of_tiff(image) if isinstance(image, TiffImageFile) else _of_exif(exif_of(image))
    if value is None:
        value = _of_xmp(image.info.get("XML:com.adobe.xmp") or image.info.get("xmp"))
    return 1 if value is None else value


def exif_orientation(image: Image.Image) -> int:
    """The same of an image that somebody has opened, and may have given another EXIF."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation)
    except MemoryError:
        raise
    except Exception:  # from struct.error to ZeroDivisionError
        value = None
    return value if isinstance(value, int) else 1


def _of_tiff(image: TiffImageFile) -> int | None:
    value = image.tag_v2.get(ExifTags.Base.Orientation)
    return value if isinstance(value, int) else None


def _of_exif(exif: bytes) -> int | None:
    """The orientation in the first directory of an EXIF; None if it says none."""
    value = None
    try:
        order, at = first_directory(exif)
        for tag, kind, count, entry in entries(exif, order, at):
            if tag == ExifTags.Base.Orientation and count == 1 and kind in _INTEGERS:
                (value,) = struct.unpack_from(f"{order}{_INTEGERS[kind]}", exif, entry + 8)
    except struct.error:  # it ends before; what was found stands
        pass
    return value


def _of_xmp(xmp: object) -> int | None:
    data = xmp.encode("utf-8", "replace") if isinstance(xmp, str) else xmp
    match = _XMP.search(data) if isinstance(data, bytes) else None
    return int(match[2]) if match else None
