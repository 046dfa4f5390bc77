"""The network of the embedded default: five convolutions for 48 px scenes, small enough to train in a minute."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class SmallCNN(nn.Module):
    """Five conv-bn-relu layers, global average pooling and a linear head. ``(B, channels, H, W) -> (B, classes)``.

    Pixels are taken in [0, 1] as they are. The last convolution has an eighth of the input's side (6 x 6 at 48 px), and
    a unit of it sees 46 px, a whole digit with its surroundings. Six blocks for randomisation: each convolution with its
    batch norm, and the head.

    Source: ours; a plain network of the kind that Simonyan & Zisserman (arXiv:1409.1556) describe.
    """

    def __init__(self, classes: int = 10, channels: int = 3) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(channels, 16)
        self.conv2, self.bn2 = _conv(16, 32)
        self.conv3, self.bn3 = _conv(32, 64)
        self.conv4, self.bn4 = _conv(64, 64)
        self.conv5, self.bn5 = _conv(64, 128)
        self.head = nn.Linear(128, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        x = F.relu(self.bn3(self.conv3(x)))
        x = F.max_pool2d(F.relu(self.bn4(self.conv4(x))), 2)
        x = F.relu(self.bn5(self.conv5(x)))
        out: Tensor = self.head(x.mean((2, 3)))
        return out


def _conv(inputs: int, outputs: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)
