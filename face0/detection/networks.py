"""The three nets of MTCNN (Zhang et al. 2016) with the weights in facenet-pytorch's package, arranged for speed.

They compute what facenet-pytorch's do, to the rounding of float32. The gains were measured on one AVX-512 core.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from face0.detection.facenet import load_facenet


class MaxPool(nn.Module):
    """Max pooling with stride 2 that counts the cut windows at the end, for activations in channels_last.

    As elementwise maxima of strided views: 0.75 -> 0.17 ms for 16 x 306 x 306 values, 1.2 -> 0.5 ms for O-Net's first.
    """

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self._kernel = kernel

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pools [N, C, H, W] to [N, C, ceil((H - kernel) / 2) + 1, ceil((W - kernel) / 2) + 1]."""
        if x.is_cuda:
            return functional.max_pool2d(x, self._kernel, 2, ceil_mode=True)
        return self._along(2, self._along(1, x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)

    def _along(self, dim: int, x: torch.Tensor) -> torch.Tensor:
        count = -(-(x.shape[dim] - self._kernel) // 2) + 1
        views = [torch.ops.aten.slice(x, dim, first, first + 2 * count - 1, 2) for first in range(self._kernel)]
        whole = [view for view in views if view.shape[dim] == count]
        pooled = torch.maximum(whole[0], whole[1]) if len(whole) > 1 else whole[0].clone()
        for view in (*whole[2:], *views[len(whole) :]):
            part = pooled.narrow(dim, 0, view.shape[dim])
            torch.maximum(part, view, out=part)
        return pooled


class ProposalNet(nn.Module):
    """P-Net with its first pooling before its first PReLU, a quarter of the work for the same values.

    A PReLU with a slope a >= 0 rises, so it may follow the pooling. One with a < 0 is max(x, a x) and its pooled
    maximum is that of both, so such channels are computed twice, as x and as a x.
    """

    def __init__(self, net: Any) -> None:  # facenet-pytorch's PNet
        super().__init__()
        order = net.prelu1.weight.argsort()
        slope = net.prelu1.weight[order]
        self.falling = int((slope < 0).sum())
        twice = slope[: self.falling]
        weight, bias = net.conv1.weight[order], net.conv1.bias[order]
        self.conv1 = nn.Conv2d(3, len(order) + self.falling, 3)
        self.conv1.weight = nn.Parameter(torch.cat([weight, weight[: self.falling] * twice[:, None, None, None]]))
        self.conv1.bias = nn.Parameter(torch.cat([bias, bias[: self.falling] * twice]))
        self.pool = MaxPool(2)
        self.slope = nn.Parameter(slope)
        net.conv2.weight = nn.Parameter(net.conv2.weight[:, order])
        self.features = nn.Sequential(net.conv2, net.prelu2, net.conv3, net.prelu3)
        # A softmax over two is a sigmoid of their difference. Offsets are wanted for few windows, so they come after.
        score, offset = net.conv4_1.weight[:, :, 0, 0], net.conv4_2.weight[:, :, 0, 0]
        self.score = nn.Linear(len(score[0]), 1)
        self.score.weight = nn.Parameter(score[1:] - score[:1])
        self.score.bias = nn.Parameter(net.conv4_1.bias[1:] - net.conv4_1.bias[:1])
        self.offset = nn.Linear(len(score[0]), 4)
        self.offset.weight, self.offset.bias = nn.Parameter(offset), net.conv4_2.bias

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Looks at the window of 12 x 12 pixels at every second pixel.

        Args:
            x: float32 [N, 3, H, W] in -1..1.

        Returns:
            The features, float32 [N, h, w, 32], and the score of a face, 0..1, float32 [N, h, w].
        """
        both = self.pool(self.conv1(x))
        x = functional.prelu(both[:, : len(self.slope)], self.slope)
        falling = x[:, : self.falling]
        torch.maximum(falling, both[:, len(self.slope) :], out=falling)
        features = self.features(x).permute(0, 2, 3, 1)
        return features, self.score(features)[..., 0].sigmoid()


def load_nets(device: str) -> tuple[ProposalNet, nn.Module, nn.Module]:
    """P-Net, R-Net and O-Net in evaluation mode, in channels_last: P-Net's narrow convolutions take half the time.

    Raises:
        UsageError: see ``face0.detection.load_facenet``.
    """
    nets = load_facenet().MTCNN()
    pnet, rnet, onet = ProposalNet(nets.pnet), nets.rnet, nets.onet
    rnet.pool1, rnet.pool2 = MaxPool(3), MaxPool(3)
    onet.pool1, onet.pool2, onet.pool3 = MaxPool(3), MaxPool(3), MaxPool(2)
    for net in (pnet, rnet, onet):
        net.eval().to(device).to(memory_format=torch.channels_last)
    return pnet, rnet, onet
