"""The 9-layer VGG for CIFAR of "Full-Gradient Representation", with the initialiser of the authors' code."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import InputError

STAGES = ((64,), (128,), (256, 256), (512, 512), (512, 512))
"""Channels of the convolutions before each max pool (the authors' list "VGG11")."""


class VggConv(nn.Conv2d):
    """Convolution with weights N(0, sqrt(2 / (kernel area x output channels))) and biases N(0, 0.1) (authors' code)."""

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=math.sqrt(2 / (self.kernel_size[0] * self.kernel_size[1] * self.out_channels)))
        if self.bias is not None:
            nn.init.normal_(self.bias, std=0.1)


class VggLinear(nn.Linear):
    """Linear layer with weights N(0, 0.01) and biases N(0, 1) (authors' code)."""

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=0.01)
        if self.bias is not None:
            nn.init.normal_(self.bias)


class VGG9(nn.Module):
    """Eight 3x3 convolutions with batch norm and a linear layer; ReLU. ``(B, 3, 32, 32) -> (B, classes)``.

    Source: Srinivas & Fleuret 2019, arXiv:1905.00780, section 5.2 (CIFAR-100, "a 9-layer VGG"); layers and initialiser
    from the authors' code of that time (vgg_cifar.py, "VGG11").

    Args:
        classes: number of logits; 100 in the paper.
        width: factor on all channels; 1 is the authors' network, 0.25 trains 15 times as fast.
        batch_norm: after every convolution; False leaves it out (not in the paper).
        bias: False leaves out all biases (not in the paper); needs ``batch_norm=False``.

    Raises:
        InputError: batch norm without biases.
    """

    def __init__(self, classes: int = 10, width: float = 1.0, batch_norm: bool = True, bias: bool = True) -> None:
        super().__init__()
        if batch_norm and not bias:
            raise InputError(
                "VGG9(batch_norm=True, bias=False): a batch norm adds biases of its own (its shift and its mean); for a "
                "network without any, choose batch_norm=False too"
            )
        inputs, stages = 3, []
        for channels in STAGES:
            layers = []
            for outputs in (max(1, round(n * width)) for n in channels):
                layers += _layer(inputs, outputs, batch_norm, bias)
                inputs = outputs
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)
        self.classifier = VggLinear(inputs, classes, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        for stage in self.stages:
            x = F.max_pool2d(stage(x), 2)
        out: Tensor = self.classifier(x.mean((2, 3)))
        return out


def _layer(inputs: int, outputs: int, batch_norm: bool, bias: bool) -> list[nn.Module]:
    norm = [nn.BatchNorm2d(outputs)] if batch_norm else []
    return [VggConv(inputs, outputs, 3, padding=1, bias=bias), *norm, nn.ReLU()]
