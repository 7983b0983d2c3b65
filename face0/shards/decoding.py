"""Samples of a batch from encoded rows: images are decoded in parts, by several threads at once."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from face0.images.decoding import REDUCING_GAP

# A JPEG is decoded at 1/2, 1/4 or 1/8 as long as this many times the resolution remains, and resized from there: on
# photographs within about 45 dB of a resize from all pixels, in half the time. Straight to the resolution it is 35 dB.
DRAFT_MARGIN = 1.9


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The n samples of a batch on one rank, without those whose image does not decode."""

    keys: list[str]
    captions: list[str]
    images: torch.Tensor  # uint8 [n, 3, resolution, resolution], RGB, channels last in memory
    faces: torch.Tensor  # float32 [n, slots, dim]: embeddings as stored, largest face first, zeros where there is none
    present: torch.Tensor  # bool [n, slots]: where there is one
    rows: torch.Tensor  # int64 [n]: which row each is of all that the folders hold, the same in every epoch
    positions: torch.Tensor  # int64 [n]: epoch * samples + place in the epoch
    failed: list[tuple[str, str]]  # (key, message) of the samples that are left out

    def take(self, index: Sequence[int]) -> "Batch":
        """The samples at these places."""
        places = torch.tensor(index, dtype=torch.long)
        return Batch(
            keys=[self.keys[i] for i in index],
            captions=[self.captions[i] for i in index],
            images=self.images[places],
            faces=self.faces[places],
            present=self.present[places],
            rows=self.rows[places],
            positions=self.positions[places],
            failed=self.failed,
        )


@dataclass(frozen=True, kw_only=True)
class LoadedRows:
    """Rows in memory. Lists and arrays of as many rows."""

    numbers: np.ndarray  # int64 [rows], of all rows of the folders
    keys: list[str]
    captions: list[str]
    images: list[bytes]  # encoded; each is taken out as it is used
    sides: list[tuple[int, int]]  # width and height, as the row says
    faces: np.ndarray  # float16 [rows, slots, dim]
    present: np.ndarray  # bool [rows, slots]


class SampleBuffer:
    """The samples of one batch on one rank: put in one by one, decoded in parts and in several threads at once."""

    def __init__(self, positions: np.ndarray, resolution: int, slots: int, dim: int) -> None:
        size = len(positions)
        self._positions, self._rows = positions, np.zeros(size, np.int64)
        self._keys, self._captions = [""] * size, [""] * size
        self._images = [b""] * size
        self._sides = [(0, 0)] * size
        self._pixels = np.empty((size, resolution, resolution, 3), np.uint8)
        self._faces = np.zeros((size, slots, dim), np.float32)
        self._present = np.zeros((size, slots), bool)
        self._errors: dict[int, str] = {}

    def put(self, i: int, rows: LoadedRows, row: int) -> None:
        """Takes the sample ``i`` out of a row group; the memory of its image goes with it."""
        self._keys[i], self._captions[i], self._sides[i] = rows.keys[row], rows.captions[row], rows.sides[row]
        self._rows[i] = rows.numbers[row]
        self._faces[i], self._present[i] = rows.faces[row], rows.present[row]
        self._images[i], rows.images[row] = rows.images[row], b""

    def decode(self, begin: int, end: int) -> None:
        """Decodes the images of these samples."""
        for i in range(begin, end):
            try:
                decode_into(self._pixels[i], self._images[i], self._sides[i])
            except MemoryError:
                raise
            except Exception as error:  # a broken image makes Pillow raise nearly any type
                self._errors[i] = f"the image does not decode: {str(error) or type(error).__name__}"
            self._images[i] = b""

    def batch(self) -> Batch:
        """The batch, once all is decoded."""
        good = [i for i in range(len(self._positions)) if i not in self._errors]
        index = good if self._errors else slice(None)  # a slice copies nothing
        return Batch(
            keys=[self._keys[i] for i in good],
            captions=[self._captions[i] for i in good],
            images=torch.from_numpy(self._pixels[index]).permute(0, 3, 1, 2),
            faces=torch.from_numpy(self._faces[index]),
            present=torch.from_numpy(self._present[index]),
            rows=torch.from_numpy(self._rows[index]),
            positions=torch.from_numpy(self._positions[index]),
            failed=[(self._keys[i], self._errors[i]) for i in sorted(self._errors)],
        )


def decode_into(pixels: np.ndarray, data: bytes, sides: tuple[int, int]) -> None:
    """Decodes an image and resizes it to the shape of ``pixels``: uint8 [side, side, 3], sRGB."""
    side = len(pixels)
    image: Image.Image = Image.open(io.BytesIO(data))
    if image.size != sides:  # seen before any pixel is: a broken header can ask for gigabytes
        raise ValueError(f"it is {image.size[0]} x {image.size[1]} pixels, not {sides[0]} x {sides[1]} as its row says")
    if isinstance(image, JpegImageFile):
        image.draft(None, (round(DRAFT_MARGIN * side),) * 2)
    if image.mode != "RGB":
        image = image.convert("RGB")
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    pixels[:] = image
