"""The EXIF of an opened file, read no further than what is asked for.

Pillow's own reader of EXIF copies all that any entry points to.
"""

import re
import struct
from collections.abc import Iterator

from PIL import ExifTags, Image

_PREFIX = re.compile(rb"(?:Exif\0\0)*")
_ADOBE_RGB = b"R03\0"  # DCF 2.0: a camera's own way to say it, often without a profile


def exif_of(image: Image.Image) -> bytes:
    """The EXIF of a file, from where its format keeps it, or ImageMagick does; empty if there is none."""
    exif = image.info.get("exif")
    if exif is None and isinstance(text := image.info.get("Raw profile type exif"), str):
        try:
            exif = bytes.fromhex("".join(text.split("\n")[3:]))
        except ValueError:
            exif = None
    return exif[_PREFIX.match(exif).end() :] if isinstance(exif, bytes) else b""  # type: ignore[union-attr]


def first_directory(exif: bytes) -> tuple[str, int]:
    """The order of the bytes of an EXIF, as ``struct`` has it, and where its first directory stands.

    Raises:
        struct.error: it is no EXIF, or ends before.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        raise struct.error("neither byte order")
    return order, struct.unpack_from(f"{order}I", exif, 4)[0]


def entries(exif: bytes, order: str, at: int) -> Iterator[tuple[int, int, int, int]]:
    """Tag, kind and count of the entries of a directory, and where they stand. Raises struct.error off its end."""
    (count,) = struct.unpack_from(f"{order}H", exif, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        yield (*struct.unpack_from(f"{order}HHI", exif, entry), entry)


def is_adobe_rgb(image: Image.Image) -> bool:
    """Whether the EXIF of an opened file says that its colours are those of Adobe RGB."""
    exif = exif_of(image)
    if _ADOBE_RGB not in exif:
        return False
    try:
        order, at = first_directory(exif)
        for pointer in (ExifTags.IFD.Exif, ExifTags.IFD.Interop):
            place = next((entry for tag, _, _, entry in entries(exif, order, at) if tag == pointer), None)
            if place is None:
                return False
            (at,) = struct.unpack_from(f"{order}I", exif, place + 8)
        return any(
            tag == 1 and exif[entry + 8 : entry + 12] == _ADOBE_RGB for tag, *_, entry in entries(exif, order, at)
        )
    except struct.error:
        return False
