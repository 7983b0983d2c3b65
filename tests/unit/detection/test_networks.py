"""The detector's networks against torch's pooling and facenet-pytorch's."""

import pytest
import torch
from facenet_pytorch import MTCNN
from torch.nn import functional

from face0.detection.networks import MaxPool, load_nets


@pytest.mark.parametrize("size", [*range(1, 13), 44, 46])
@pytest.mark.parametrize("kernel", [2, 3])
def test_the_pooling_is_torchs(kernel: int, size: int) -> None:
    x = torch.randn(2, 5, size, 11).contiguous(memory_format=torch.channels_last)
    if size >= kernel:
        assert torch.equal(MaxPool(kernel)(x), functional.max_pool2d(x, kernel, 2, ceil_mode=True))


def test_p_net_is_facenet_pytorchs() -> None:
    x = torch.rand(2, 3, 45, 61) * 2 - 1
    fast, original = load_nets("cpu")[0], MTCNN().pnet
    with torch.inference_mode():
        features, score = fast(x)
        offsets, probability = original(x)
        torch.testing.assert_close(score, probability[:, 1], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(fast.offset(features).permute(0, 3, 1, 2), offsets, atol=1e-4, rtol=1e-4)
