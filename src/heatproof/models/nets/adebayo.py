"""The two MNIST networks of "Sanity Checks for Saliency Maps", with the initialisers of the authors' code.

Re-initialising a layer means drawing from the initialiser it was trained from (semantics.md 2.S1), so each layer's
``reset_parameters`` is that initialiser, and not PyTorch's.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

CNN_DECAYED = ("conv1.weight", "conv2.weight", "fc1.weight")
"""The weights under the authors' penalty of 0.001 (code: not the last layer, no bias)."""


def truncated_normal_(tensor: Tensor, std: float) -> Tensor:
    """Fill with a normal of mean 0 drawn again beyond two standard deviations, as TensorFlow does; in place.

    What is left has a standard deviation of 0.8796 std. The bounds of PyTorch's initialiser are absolute, hence given.
    """
    return nn.init.trunc_normal_(tensor, std=std, a=-2 * std, b=2 * std)


class CnnConv(nn.Conv2d):
    """Convolution with weights TN(0, 0.1) and biases 0.1 (authors' code)."""

    def reset_parameters(self) -> None:
        _reset_cnn(self)


class CnnLinear(nn.Linear):
    """Linear layer with weights TN(0, 0.1) and biases 0.1 (authors' code)."""

    def reset_parameters(self) -> None:
        _reset_cnn(self)


class MlpLinear(nn.Linear):
    """Linear layer with weights TN(0, 2 / sqrt(fan in)) and biases 0 (authors' code)."""

    def reset_parameters(self) -> None:
        truncated_normal_(self.weight, 2 / math.sqrt(self.in_features))
        if self.bias is not None:
            nn.init.zeros_(self.bias)


def _reset_cnn(layer: CnnConv | CnnLinear) -> None:
    truncated_normal_(layer.weight, 0.1)
    if layer.bias is not None:
        nn.init.constant_(layer.bias, 0.1)


class AdebayoCNN(nn.Module):
    """conv 5x5x32, pool, conv 5x5x64, pool, 1024, classes; ReLU. ``(B, 1, 28, 28)`` in [0, 1] ``-> (B, classes)``.

    Source: Adebayo et al. 2018, arXiv:1810.03292, appendix B; padding and initialisers from the authors' code. Test
    accuracy there 99.2 % (Adam, 20 thousand iterations, penalty 0.001 on `CNN_DECAYED`).

    Args:
        classes: number of logits.
        bias: False leaves out all biases (not in the paper).
    """

    def __init__(self, classes: int = 10, bias: bool = True) -> None:
        super().__init__()
        self.conv1 = CnnConv(1, 32, 5, padding=2, bias=bias)
        self.conv2 = CnnConv(32, 64, 5, padding=2, bias=bias)
        self.fc1 = CnnLinear(64 * 7 * 7, 1024, bias=bias)
        self.fc2 = CnnLinear(1024, classes, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        out: Tensor = self.fc2(F.relu(self.fc1(x)))
        return out


class AdebayoMLP(nn.Module):
    """2500, 1500, 500, classes; ReLU. ``(B, 1, 28, 28)`` in [0, 1] ``-> (B, classes)``.

    Source: Adebayo et al. 2018, arXiv:1810.03292, appendix B; initialisers from the authors' code. Test accuracy there
    98.7 % (Adam, 20 thousand iterations).

    Args:
        classes: number of logits.
        bias: False leaves out all biases (not in the paper).
    """

    def __init__(self, classes: int = 10, bias: bool = True) -> None:
        super().__init__()
        self.fc1 = MlpLinear(28 * 28, 2500, bias=bias)
        self.fc2 = MlpLinear(2500, 1500, bias=bias)
        self.fc3 = MlpLinear(1500, 500, bias=bias)
        self.fc4 = MlpLinear(500, classes, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.fc1(x.flatten(1)))
        x = F.relu(self.fc3(F.relu(self.fc2(x))))
        out: Tensor = self.fc4(x)
        return out
