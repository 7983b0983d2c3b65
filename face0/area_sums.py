"""Summed-area tables of a batch of images: any box of any image, averaged to any size, all boxes in one gather."""

from collections.abc import Sequence

import torch


class AreaSums:
    """The tables of images of any sizes, one after the other in one tensor."""

    def __init__(self, pixels: Sequence[torch.Tensor]) -> None:
        """Sums images (uint8 [H, W, 3], on one device; up to 8 megapixels each, which int32 holds)."""
        tables = []
        for image in pixels:
            height, width, _ = image.shape
            table = torch.zeros(height + 1, width + 1, 3, dtype=torch.int32, device=image.device)
            torch.cumsum(image.cumsum(0, dtype=torch.int32), 1, out=table[1:, 1:])
            tables.append(table.flatten(0, 1))
        self._sums = torch.cat(tables)
        self._sizes = torch.tensor([(image.shape[1], image.shape[0]) for image in pixels], device=self._sums.device)
        lengths = (self._sizes + 1).prod(dim=1)
        self._starts = lengths.cumsum(0) - lengths

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
        """Averages windows [n, 4] to float32 [n, 3, size, size], 0..255, as ``interpolate(mode="area")`` does.

        Cell i of a side of n pixels averages pixels floor(i n / size) to ceil((i + 1) n / size).
        """
        cells = torch.arange(size, device=windows.device)[:, None]
        low, length = windows[:, None, :2], (windows[:, 2:] - windows[:, :2])[:, None]
        first = low + cells * length // size  # [n, size, 2]: x, y
        last = low + ((cells + 1) * length + size - 1) // size
        stride = self._sizes[image, 0][:, None] + 1
        top, bottom = (
            (self._starts[image][:, None] + ends[..., 1] * stride)[:, :, None] for ends in (first, last)
        )  # [n, size, 1]
        left, right = first[:, None, :, 0], last[:, None, :, 0]  # [n, 1, size]
        total = self._sums[bottom + right] - self._sums[top + right]
        total += self._sums[top + left] - self._sums[bottom + left]
        span = last - first
        area = span[:, :, None, 1] * span[:, None, :, 0]
        # [n, y, x, 3] seen as [n, 3, y, x] is channels_last already.
        return (total / area[..., None]).permute(0, 3, 1, 2)
