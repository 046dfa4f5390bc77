"""The residual networks for CIFAR-10 with parameter-free shortcuts."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class CifarResNet(nn.Module):
    """ResNet of depth ``6 n + 2``: 20, 32, 44 and 56 for n = 3, 5, 7, 9. ``(B, 3, 32, 32) -> (B, classes)``.

    Source: He et al. 2016, arXiv:1512.03385, section 4.2, with shortcut A: every second pixel, new channels zero (half of
    them before and half after the old ones, as in the implementation whose weights are in use).
    """

    def __init__(self, n: int = 3, classes: int = 10) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(3, 16)
        self.layer1 = _stage(16, 16, n, stride=1)
        self.layer2 = _stage(16, 32, n, stride=2)
        self.layer3 = _stage(32, 64, n, stride=2)
        self.linear = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        out: Tensor = self.linear(x.mean((2, 3)))
        return out


class Block(nn.Module):
    """Two convolutions and a shortcut without parameters (arXiv:1512.03385, fig. 2)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(inputs, outputs, stride)
        self.conv2, self.bn2 = _conv(outputs, outputs)
        self.stride = stride
        self.extra = (outputs - inputs) // 2

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.extra:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.extra, self.extra))
        return F.relu(x + y)


def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    return nn.Sequential(Block(inputs, outputs, stride), *(Block(outputs, outputs) for _ in range(blocks - 1)))


def _conv(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs)
