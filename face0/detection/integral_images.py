"""Summed-area tables of a batch of images: any box of any image, averaged to any size, all boxes in one gather.

One int64 holds the sums of all three colours, 21 bits each. Sums over a whole image do not fit, and need not: integers
wrap around, and the difference of two sums is right when what it counts, the pixels of one cell, fits. That makes a
table of 8 bytes a pixel instead of 12, and one gather instead of three.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch

BITS = 21
MAX_CELL = 2**BITS // 255  # pixels whose sum fits
BLOCK = 16  # rows that are summed beside each other: torch.cumsum down whole columns takes 2.5 times as long


@dataclass(frozen=True)
class Stack:
    """The tables of the images of one size.

    Attributes:
        members: int64 [n], their positions in the batch.
        height: in pixels.
        width: in pixels.
        sums: int64 [n, height + 1, width + 1].
    """

    members: torch.Tensor
    height: int
    width: int
    sums: torch.Tensor


class IntegralImages:
    """The tables of images of any sizes, one after the other in one tensor.

    Attributes:
        stacks: the images by their size.
    """

    def __init__(self, pixels: Sequence[torch.Tensor]) -> None:
        """Sums images: uint8 [H, W, 3] of up to PYRAMID_MAX_SIDE pixels a side, on one device."""
        device = pixels[0].device
        by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
        for member, image in enumerate(pixels):
            by_size[image.shape[0], image.shape[1]].append(member)
        self._sizes = torch.tensor([(image.shape[1], image.shape[0]) for image in pixels]).to(device)
        self._sums = torch.empty(
            sum(len(members) * (height + 1) * (width + 1) for (height, width), members in by_size.items()),
            dtype=torch.int64,
            device=device,
        )
        starts = [0] * len(pixels)
        self.stacks: list[Stack] = []
        start = 0
        for (height, width), members in by_size.items():
            length = (height + 1) * (width + 1)
            shape = len(members), height + 1, width + 1
            tables = self._sums[start : start + len(members) * length].view(shape)
            for member, table in zip(members, tables, strict=True):
                starts[member] = start
                start += length
                _sum(pixels[member], table)
            self.stacks.append(Stack(torch.tensor(members).to(device), height, width, tables))
        self._starts = torch.tensor(starts).to(device)

    def windows(self, xyxy: torch.Tensor, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The pixels that MTCNN takes for a box, counted from 1 and rounded down, both ends included.

        Args:
            xyxy: boxes, float [n, 4].
            image: which image each lies in, int64 [n].

        Returns:
            int64 [n, 4] x0, y0, x1, y1, counted from 0 and the ends exclusive, within the image; bool [n], whether any.
        """
        whole = xyxy.trunc().long()
        low = whole[:, :2].clamp(min=1) - 1
        high = torch.minimum(whole[:, 2:], self._sizes[image])
        return torch.cat([low, high], dim=1), (high > low).all(dim=1)

    def resize(self, windows: torch.Tensor, image: torch.Tensor, size: int) -> torch.Tensor:
        """Windows [n, 4] averaged to float32 [n, 3, size, size] in -1..1, as ``interpolate(mode="area")`` does."""
        first, last = _cells(windows[:, None, :2], windows[:, None, 2:], size)  # [n, size, 2]: x, y
        stride = self._sizes[image, 0][:, None] + 1
        top, bottom = (
            (self._starts[image][:, None] + ends[..., 1] * stride)[:, :, None] for ends in (first, last)
        )  # [n, size, 1]
        left, right = first[:, None, :, 0], last[:, None, :, 0]  # [n, 1, size]
        total = self._at(bottom + right) - self._at(top + right)
        total += self._at(top + left)
        total -= self._at(bottom + left)
        span = last - first
        return _means(total, span[:, :, 1], span[:, :, 0])

    def _at(self, position: torch.Tensor) -> torch.Tensor:
        # index_select takes a fifth of the time of self._sums[position]
        return self._sums.index_select(0, position.flatten()).view(position.shape)


def shrink(stack: Stack, part: slice, height: int, width: int) -> torch.Tensor:
    """Whole images of a stack averaged to float32 [n, 3, height, width] in -1..1, as ``interpolate(mode="area")`` does.

    From the tables each level of a pyramid costs as much as it has pixels; from the images, as much as they have:
    10 -> 2 ms for the pyramid of 512 x 512 pixels on one core.

    Args:
        stack: the images' tables.
        part: which n of its images.
        height: pixels to average to; the cells must hold less than MAX_CELL pixels.
        width: see ``height``.
    """
    assert (stack.height / height + 2) * (stack.width / width + 2) < MAX_CELL
    sums, device = stack.sums[part], stack.sums.device
    nothing = torch.zeros(1, dtype=torch.long, device=device)
    top, bottom = _cells(nothing, nothing + stack.height, height)
    left, right = _cells(nothing, nothing + stack.width, width)
    rows = sums.index_select(1, bottom) - sums.index_select(1, top)
    total = rows.index_select(2, right) - rows.index_select(2, left)
    return _means(total, (bottom - top)[None], (right - left)[None])


def _cells(low: torch.Tensor, high: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Where each of ``size`` cells between low and high [..., 1, k] begins and ends: [..., size, k].

    Cell i of n pixels holds pixels floor(i n / size) to ceil((i + 1) n / size): neighbours may share one.
    """
    cells = torch.arange(size, device=low.device)
    if low.dim() > 1:
        cells = cells[:, None]
    length = high - low
    return low + cells * length // size, low + ((cells + 1) * length + size - 1) // size


def _means(total: torch.Tensor, height: torch.Tensor, width: torch.Tensor) -> torch.Tensor:
    """Packed sums [n, h, w] over cells of height [n, h] x width [n, w] pixels as means float32 [n, 3, h, w].

    Scaled from 0..255 to -1..1 as MTCNN was trained, (mean - 127.5) / 128, in the same pass.
    """
    scale = 1 / (128 * height[:, :, None] * width[:, None, :])
    means = torch.empty(len(total), 3, *total.shape[1:], device=total.device)
    for colour in range(3):
        torch.mul((total >> BITS * colour) & 2**BITS - 1, scale, out=means[:, colour])
    return means.sub_(127.5 / 128)


def _sum(image: torch.Tensor, table: torch.Tensor) -> None:
    """Fills an image's table: [y, x] has the sum of all pixels above and left of it."""
    red, green, blue = image.unbind(2)
    packed = red.long()
    packed += green.long() << BITS
    packed += blue.long() << 2 * BITS
    table[0] = 0
    table[:, 0] = 0
    sums = table[1:, 1:]
    torch.cumsum(packed, 1, out=sums)
    if image.is_cuda:
        sums.copy_(sums.cumsum(0))
        return
    for row in range(1, BLOCK):
        rows = sums[row::BLOCK]
        rows += sums[row - 1 :: BLOCK][: len(rows)]
    for start in range(BLOCK, len(sums), BLOCK):
        sums[start : start + BLOCK] += sums[start - 1]
