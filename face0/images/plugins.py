"""Pillow's readers of files, less what they read beside the pixels.

What they would read of EXIF and directories on their own account is not bounded by the size of the file: entries may
all point to the same bytes, and each is a copy.
"""

from typing import Any

from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile


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
