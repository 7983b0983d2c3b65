"""Averages by integral images against torch's."""

import pytest
import torch
from torch.nn import functional

from face0.detection.integral_images import IntegralImages, shrink


@pytest.mark.parametrize("white", [True, False])
def test_the_tables_average_as_torch_does(white: bool) -> None:
    images = [torch.randint(0, 256, (70, 90, 3), dtype=torch.uint8) for _ in range(3)]
    if white:  # the largest sums
        images = [torch.full((1024, 1024, 3), 255, dtype=torch.uint8) for _ in range(2)]
    sums = IntegralImages([images[0], torch.zeros(20, 30, 3, dtype=torch.uint8), *images[1:]])
    (stack,) = [stack for stack in sums.stacks if stack.height == images[0].shape[0]]
    expected = (torch.stack(images).permute(0, 3, 1, 2).double() - 127.5) / 128
    for size in ((12, 12), (33, 47), (90, 100)):
        found = shrink(stack, slice(None), *size)
        torch.testing.assert_close(
            found.double(), functional.interpolate(expected, size=size, mode="area"), atol=1e-5, rtol=0
        )
    window = torch.tensor([[3, 5, 60, 66]])
    found = sums.resize(window, torch.tensor([2]), 24)
    expected = functional.interpolate(expected[1:2, :, 5:66, 3:60], size=24, mode="area")
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
