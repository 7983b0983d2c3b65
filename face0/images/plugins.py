"""Pillow's readers of files, less what they read beside the pixels.

What they would read of EXIF and directories on their own account is not bounded by the size of the file: entries may
all point to the same bytes, and each is a copy.
"""

import importlib.machinery
import importlib.util
import io
import threading
from types import ModuleType
from typing import Any

import numpy as np
from PIL import AvifImagePlugin, Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

# Each of our threads decodes an image of its own.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


class JpegFile(JpegImageFile):
    """A JPEG, without a resolution from its EXIF."""

    def _read_dpi_from_exif(self) -> None:
        pass


class TiffFile(TiffImageFile):
    """A TIFF as it is stored: not turned, and without directories below the first."""

    def load_end(self) -> None:
        """Keeps Pillow from reading on. It has given the size as it would be once turned."""
        self._size = self.im.size


class WebPFile(WebPImageFile):
    """A WebP that lets go of its decoder, which holds the canvas twice, once the pixels are there."""

    def load(self) -> Any:
        """Loads the first frame."""
        pixels = super().load()
        self._decoder = self.fp = None
        return pixels


class BmpFile(BmpImageFile):
    """A BMP, opaque where its alpha was left empty: many programs do that, and then mean none."""

    def load_end(self) -> None:
        """Looks at the alpha."""
        if self.mode == "RGBA" and self.im.getband(3).getextrema() == (0, 0):
            self.im.fillband(3, 255)


def open_heic(file: io.BytesIO) -> Image.Image:
    """Decodes the main picture of a HEIC file, as it is stored if the file says nothing of turns."""
    import pillow_heif  # takes a while, and few inputs have such images

    pillow_heif.options.DECODE_THREADS = 1
    image = pillow_heif.HeifFile(file, convert_hdr_to_8bit=True).to_pillow()
    return image.convert("RGBA") if image.mode == "RGBa" else image


def open_jxl(file: io.BytesIO) -> Image.Image:
    """Decodes a JPEG XL codestream, upright by its own orientation.

    Raises:
        ValueError: the pixels are of a kind that Pillow has no mode for.
    """
    decoder = _jxl().Decoder(num_threads=0)
    _, header, pixels, profile, _ = decoder(file.getvalue())
    size = (header.width, header.height)
    if len(pixels) == 2 * size[0] * size[1] * len(header.mode) and header.mode in ("LA", "RGB", "RGBA"):
        # 16 bits, which Pillow has no such modes for
        pixels = ((np.frombuffer(pixels, np.uint16).astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    image = Image.frombytes(header.mode, size, pixels)
    if profile:
        image.info["icc_profile"] = bytes(profile)
    return image


_JXL_LOCK = threading.Lock()
_JXL: list[ModuleType] = []


def _jxl() -> ModuleType:
    """The compiled part of pillow-jxl-plugin.

    The package registers a reader with Pillow as it is imported, for the whole process: one that decodes with every
    core as it opens a file, of whatever size. So its extension is loaded without it.
    """
    with _JXL_LOCK:
        if not _JXL:
            package = importlib.util.find_spec("pillow_jxl")
            if package is None or not package.submodule_search_locations:
                raise ModuleNotFoundError("No module named 'pillow_jxl'", name="pillow_jxl")
            finder = importlib.machinery.PathFinder()
            spec = finder.find_spec("pillow_jxl.pillow_jxl", package.submodule_search_locations)
            if spec is None or spec.loader is None:
                raise ModuleNotFoundError("No module named 'pillow_jxl.pillow_jxl'", name="pillow_jxl")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            _JXL.append(module)
        return _JXL[0]
