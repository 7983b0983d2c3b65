"""Ways from the colours of embedded profiles to sRGB."""

import hashlib
import io
import re
import struct
import threading
from collections import OrderedDict

import numpy as np
from PIL import Image, ImageCms

from face0.images.cicp import HDR_CURVES

SAME_COLOUR = 2  # a profile that moves no colour by more than this many levels of 255 is sRGB under another name
MAX_PROFILE_BYTES = 4 * 2**20  # one for CMYK has 0.5 to 3 MB
_CACHE_BYTES = 16 * 2**20

# What a transform takes beside its profile: Little CMS puts the whole way into one table, of 33 steps for three inks
# and 23 for four, and works in 16 bits.
_TRANSFORM_BYTES = 2 * 2**20

_SRGB = ImageCms.createProfile("sRGB")


class Transforms:
    """Transforms by their profiles, those last used: archives hold a handful. Safe in many threads.

    Args:
        max_bytes: of profiles and transforms together.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._kept: OrderedDict[tuple[bytes, str], tuple[ImageCms.ImageCmsTransform | None, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
        """The way from a profile to sRGB, None where it leads nowhere: a broken profile, or sRGB itself."""
        key = (hashlib.sha256(profile).digest(), mode)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        transform = _transform(profile, mode)
        size = 1024 if transform is None else len(profile) + _TRANSFORM_BYTES
        with self._lock:
            if key not in self._kept:
                self._kept[key] = (transform, size)
                self._bytes += size
            while self._bytes > self._max_bytes:
                _, (_, freed) = self._kept.popitem(last=False)
                self._bytes -= freed
        return transform


TRANSFORMS = Transforms(_CACHE_BYTES)


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    if len(profile) > MAX_PROFILE_BYTES or not tables_fit(profile):
        return None
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


def hdr_curve(profile: bytes) -> int:
    """The curve of HDR that a profile is of, as ITU-T H.273 numbers it; 0 for others.

    Told by its ``cicp`` tag (ICC.1:2022, 9.2.17), which older profiles do not have, or by its name.
    """
    try:
        (tags,) = struct.unpack_from(">I", profile, 128)
        for entry in range(132, 132 + 12 * min(tags, 100), 12):
            kind, at, size = struct.unpack_from(">4sII", profile, entry)
            content = profile[at : at + min(size, 1000)]
            if kind == b"cicp" and len(content) >= 12 and content[9] in HDR_CURVES:
                return content[9]
            if kind == b"desc":
                for curve, pattern in _HDR_NAMES.items():
                    if pattern.search(content.replace(b"\0", b"")):  # one byte a letter, or two
                        return curve
    except struct.error:
        pass
    return 0


_HDR_NAMES = {
    16: re.compile(rb"(?<![A-Za-z])PQ(?![A-Za-z])|(?i:ST ?2084|Perceptual Quanti[sz])"),
    18: re.compile(rb"(?<![A-Za-z])HLG(?![A-Za-z])|(?i:Hybrid Log)"),
}


def tables_fit(profile: bytes) -> bool:
    """Whether the tables of a profile are as large as they say: Little CMS makes room for them before it reads.

    Of the kinds of tags that hold such tables: ``mft1``, ``mft2``, ``mAB``, ``mBA``, and ``mpet``, which no photograph
    has and which is refused.
    """
    try:
        (tags,) = struct.unpack_from(">I", profile, 128)
        for entry in range(132, 132 + 12 * min(tags, 100), 12):  # Little CMS reads no more
            at, size = struct.unpack_from(">II", profile, entry + 4)
            # What lies beyond the end is not read.
            if at + size <= len(profile) and not _table_fits(profile[at : at + 4], profile, at, size):
                return False
    except struct.error:
        return False
    return True


def _table_fits(kind: bytes, profile: bytes, at: int, size: int) -> bool:
    if kind == b"mpet":
        return False
    if kind in (b"mft1", b"mft2"):
        inputs, outputs, steps = struct.unpack_from(">BBB", profile, at + 8)
        return bool(inputs <= 15 and outputs * steps**inputs * (1 if kind == b"mft1" else 2) <= size)
    if kind in (b"mAB ", b"mBA "):
        inputs, outputs = struct.unpack_from(">BB", profile, at + 8)
        (table,) = struct.unpack_from(">I", profile, at + 24)
        if not table:
            return True
        steps = struct.unpack_from(f">{min(inputs, 15)}B", profile, at + table)
        (precision,) = struct.unpack_from(">B", profile, at + table + 16)
        return bool(inputs <= 15 and outputs * np.prod(steps, dtype=object) * max(precision, 1) <= size)
    return True
