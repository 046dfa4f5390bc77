"""LeNet-5 with ReLU and max pooling, as the captum and Quantus tutorials train it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class LeNet(nn.Module):
    """Two unpadded 5 x 5 convolutions and three linear layers. ``(B, channels, size, size) -> (B, classes)``.

    Args:
        channels: 1 for MNIST, 3 for CIFAR-10.
        size: side of the images in pixels, at least 16: 28 for MNIST, 32 for CIFAR-10.
        classes: number of logits.

    Source: LeCun et al. 1998, "Gradient-based learning applied to document recognition", fig. 2; deviations: ReLU for
    tanh, max for average pooling, all maps connected, softmax for the radial output.
    """

    def __init__(self, channels: int = 1, size: int = 28, classes: int = 10) -> None:
        super().__init__()
        side = ((size - 4) // 2 - 4) // 2
        self.conv1 = nn.Conv2d(channels, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * side * side, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        x = F.relu(self.fc2(F.relu(self.fc1(x))))
        out: Tensor = self.fc3(x)
        return out
