"""The CIFAR-10 network of "Why are Saliency Maps Noisy?" (RectGrad), with the initialiser of the authors' code."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class GlorotConv(nn.Conv2d):
    """Convolution with Glorot-uniform weights and biases 0 (the defaults of TensorFlow's layers)."""

    def reset_parameters(self) -> None:
        _reset(self)


class GlorotLinear(nn.Linear):
    """Linear layer with Glorot-uniform weights and biases 0 (the defaults of TensorFlow's layers)."""

    def reset_parameters(self) -> None:
        _reset(self)


def _reset(layer: GlorotConv | GlorotLinear) -> None:
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class RectGradCNN(nn.Module):
    """conv 32, 32, pool, conv 64, 64, pool, 256, classes; 3x3, ReLU. ``(B, 3, 32, 32)`` in [-1, 1] ``-> (B, classes)``.

    Source: Kim et al. 2019, arXiv:1902.04893, appendix; layers and initialiser from the authors' code (models.py). Test
    accuracy there 74.6 % (Adam at 0.001, 20 epochs, batches of 100).

    Args:
        classes: number of logits.
        bias: False leaves out all biases (not in the paper).
    """

    def __init__(self, classes: int = 10, bias: bool = True) -> None:
        super().__init__()
        self.conv1 = GlorotConv(3, 32, 3, padding=1, bias=bias)
        self.conv2 = GlorotConv(32, 32, 3, padding=1, bias=bias)
        self.conv3 = GlorotConv(32, 64, 3, padding=1, bias=bias)
        self.conv4 = GlorotConv(64, 64, 3, padding=1, bias=bias)
        self.fc5 = GlorotLinear(64 * 8 * 8, 256, bias=bias)
        self.fc6 = GlorotLinear(256, classes, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        x = F.max_pool2d(F.relu(self.conv4(F.relu(self.conv3(x)))), 2).flatten(1)
        out: Tensor = self.fc6(F.relu(self.fc5(x)))
        return out
