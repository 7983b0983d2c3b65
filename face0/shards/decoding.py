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
    """The n samples of a batch on one rank, without those whose image does not decode.

    Attributes:
        keys: of the samples, [n].
        captions: of the samples, [n].
        images: uint8 [n, 3, resolution, resolution], RGB, channels last in memory.
        faces: float32 [n, slots, dim]: embeddings as stored, largest face first, zeros where there is none.
        present: bool [n, slots]: where there is one.
        rows: int64 [n]: which row each is of all that the folders hold, the same in every epoch.
        positions: int64 [n]: epoch * samples + place in the epoch.
        failed: (key, message) of the samples that are left out.
    """

    keys: list[str]
    captions: list[str]
    images: torch.Tensor
    faces: torch.Tensor
    present: torch.Tensor
    rows: torch.Tensor
    positions: torch.Tensor
    failed: list[tuple[str, str]]

    def take(self, index: Sequence[int]) -> "Batch":
        """Some of the samples, in the order given; ``failed`` stays.

        Args:
            index: their places in the batch, 0 to n - 1.
        """
        places = torch.tensor(index, dtype=torch.long)
        return Batch(
            keys=[self.keys[place] for place in index],
            captions=[self.captions[place] for place in index],
            images=self.images[places],
            faces=self.faces[places],
            present=self.present[places],
            rows=self.rows[places],
            positions=self.positions[places],
            failed=self.failed,
        )


@dataclass(frozen=True, kw_only=True)
class LoadedRows:
    """Rows in memory. Lists and arrays of as many rows.

    Attributes:
        numbers: int64 [rows], of all rows of the folders.
        keys: of the rows.
        captions: of the rows.
        images: encoded; each is taken out as it is used.
        sides: width and height, as the row says.
        faces: float32 [rows, slots, dim].
        present: bool [rows, slots].
    """

    numbers: np.ndarray
    keys: list[str]
    captions: list[str]
    images: list[bytes]
    sides: list[tuple[int, int]]
    faces: np.ndarray
    present: np.ndarray


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

    def put(self, place: int, rows: LoadedRows, row: int) -> None:
        """Takes a sample out of a row group; the memory of its image goes with it.

        Args:
            place: of the sample in the batch.
            rows: the row group.
            row: of the sample, in ``rows``.
        """
        self._keys[place], self._captions[place] = rows.keys[row], rows.captions[row]
        self._sides[place] = rows.sides[row]
        self._rows[place] = rows.numbers[row]
        self._faces[place], self._present[place] = rows.faces[row], rows.present[row]
        self._images[place], rows.images[row] = rows.images[row], b""

    def decode(self, begin: int, end: int) -> None:
        """Decodes the images of the samples at the places from ``begin`` to ``end``, the end exclusive."""
        for place in range(begin, end):
            try:
                decode_into(self._pixels[place], self._images[place], self._sides[place])
            except MemoryError:
                raise
            except Exception as error:  # a broken image makes Pillow raise nearly any type
                self._errors[place] = f"the image does not decode: {str(error) or type(error).__name__}"
            self._images[place] = b""

    def batch(self) -> Batch:
        """The batch, once all is decoded."""
        good = [place for place in range(len(self._positions)) if place not in self._errors]
        index = good if self._errors else slice(None)  # a slice copies nothing
        return Batch(
            keys=[self._keys[place] for place in good],
            captions=[self._captions[place] for place in good],
            images=torch.from_numpy(self._pixels[index]).permute(0, 3, 1, 2),
            faces=torch.from_numpy(self._faces[index]),
            present=torch.from_numpy(self._present[index]),
            rows=torch.from_numpy(self._rows[index]),
            positions=torch.from_numpy(self._positions[index]),
            failed=[(self._keys[place], self._errors[place]) for place in sorted(self._errors)],
        )


def decode_into(pixels: np.ndarray, data: bytes, sides: tuple[int, int]) -> None:
    """Decodes an image and resizes it into an array.

    Args:
        pixels: is filled: uint8 [side, side, 3], sRGB.
        data: bytes of the image file.
        sides: width and height that it must have.

    Raises:
        ValueError: it has others. Pillow raises nearly any type for a broken image.
    """
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
