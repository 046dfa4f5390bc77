"""AlexNet for images of 28 or 32 pixels."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class SmallAlexNet(nn.Module):
    """Five convolutions with overlapping max pools, three linear layers. ``(B, channels, size, size) -> (B, classes)``.

    Source: Krizhevsky, arXiv:1404.5997 (64, 192, 384, 256, 256 channels, 4096 hidden units), as torchvision has it, with
    PyTorch's initialiser. The CGI paper (Gupta & Arora, arXiv:1905.12152) trains "a version of AlexNet" with one input
    channel on MNIST and names neither its input size nor its initialiser. Deviations, for small images: the first
    convolution is 5x5 with stride 2, not 11x11 with stride 4; pools are padded. Images of 28 and of 32 px both end in
    2 x 2 places.

    Args:
        channels: 1 for MNIST (28 px), 3 for CIFAR-10 (32 px).
        size: side of the images in pixels, from 1 on.
        classes: number of logits.
        width: factor on all channels and hidden units.
        dropout: share of the hidden units that training drops.
        bias: False leaves out all biases (not in the papers).
    """

    def __init__(
        self,
        channels: int = 1,
        size: int = 28,
        classes: int = 10,
        width: float = 1.0,
        dropout: float = 0.5,
        bias: bool = True,
    ) -> None:
        super().__init__()
        a, b, c, d, e, hidden = (max(1, round(n * width)) for n in (64, 192, 384, 256, 256, 4096))
        side = -(-size // 16)  # four strides of 2, each rounded up
        self.conv1 = nn.Conv2d(channels, a, 5, stride=2, padding=2, bias=bias)
        self.conv2 = nn.Conv2d(a, b, 5, padding=2, bias=bias)
        self.conv3 = nn.Conv2d(b, c, 3, padding=1, bias=bias)
        self.conv4 = nn.Conv2d(c, d, 3, padding=1, bias=bias)
        self.conv5 = nn.Conv2d(d, e, 3, padding=1, bias=bias)
        self.fc6 = nn.Linear(e * side * side, hidden, bias=bias)
        self.fc7 = nn.Linear(hidden, hidden, bias=bias)
        self.fc8 = nn.Linear(hidden, classes, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = _pool(F.relu(self.conv1(x)))
        x = _pool(F.relu(self.conv2(x)))
        x = F.relu(self.conv4(F.relu(self.conv3(x))))
        x = _pool(F.relu(self.conv5(x))).flatten(1)
        x = F.relu(self.fc6(self.dropout(x)))
        x = F.relu(self.fc7(self.dropout(x)))
        out: Tensor = self.fc8(x)
        return out


def _pool(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, stride=2, padding=1)
