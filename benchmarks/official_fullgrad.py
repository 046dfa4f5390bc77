"""What the authors' FullGrad does (github.com/idiap/fullgrad-saliency, commit 7c106b3), in words of our own.

One forward and one backward, in which hooks on every convolution, linear layer and batch norm with a bias collect the
gradient at its output; each is multiplied by the bias of its layer, rescaled, enlarged in all its channels, and summed.
The check of completeness in the authors' constructor, two more passes of one image, is left out of the time.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYERS = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)
EPSILON = 1e-6


class OfficialFullGrad:
    """Maps of one network, whose layers it hooks until `remove`. Biases pair with gradients by their places alone."""

    def __init__(self, model: nn.Module) -> None:
        layers = [layer for layer in model.modules() if isinstance(layer, LAYERS)]
        self.model = model
        self.biases = [_bias(layer) for layer in layers if layer.bias is not None]
        self.slopes: list[Tensor] = []
        self.handles = [layer.register_backward_hook(self._collect) for layer in layers]

    def __call__(self, x: Tensor, target: Tensor) -> Tensor:
        """``(B, C, H, W) -> (B, 1, H, W)``"""
        x = x.detach().clone().requires_grad_()
        score = -F.nll_loss(self.model(x), target, reduction="sum")
        self.slopes.clear()
        (grad,) = torch.autograd.grad(score, x)
        shares = [
            slope * bias.view(1, -1, *[1] * (slope.dim() - 2)).expand_as(slope)
            for slope, bias in zip(reversed(self.slopes), self.biases, strict=True)
        ]
        total = _rescaled(grad * x).sum(1, keepdim=True)
        for share in shares:
            if share.dim() == x.dim():
                wide = F.interpolate(_rescaled(share), size=x.shape[2:], mode="bilinear", align_corners=True)
                total = total + wide.sum(1, keepdim=True)
        return total.detach()

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    def _collect(self, layer: nn.Module, grad_in: Any, grad_out: Any) -> None:
        if layer.bias is not None:
            self.slopes.append(grad_out[0])


def _bias(layer: nn.Module) -> Tensor:
    """What a layer gives for zeros, by channel."""
    bias = layer.get_parameter("bias").detach()
    if not isinstance(layer, nn.BatchNorm2d):
        return bias
    mean, var = layer.get_buffer("running_mean"), layer.get_buffer("running_var")
    return bias - mean * layer.weight.detach() / torch.sqrt(var + layer.eps)


def _rescaled(share: Tensor) -> Tensor:
    """|share| from 0 to 1 over all channels and places of a sample."""
    size = share.abs()
    size = size - size.flatten(1).amin(1).view(-1, 1, 1, 1)
    return size / (size.flatten(1).amax(1).view(-1, 1, 1, 1) + EPSILON)
