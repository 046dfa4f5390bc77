"""Which biases are larger, those of batch-norm statistics or the parameters (section 4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...models.nets.cifar_resnet import CifarResNet
from ...models.weights import load_weights
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number

DEPTHS = (20, 32, 44, 56)
NETWORKS = tuple(f"ResNet-{depth}" for depth in DEPTHS)
"""The MobileNetV2 of the data folder has its batch norms' statistics folded away."""


def biases(lab: Lab) -> Measured:
    """Sizes of explicit and implicit biases of networks with batch norm, by channel and by what they do to the output."""
    numbers: dict[str, Number] = {}
    arrays: dict[str, Tensor] = {}
    x = lab.cifar_units(lab.pick(16, 64))[0]
    for name, depth in zip(NETWORKS, DEPTHS, strict=True):
        net = resnet(lab, depth)
        explicit, implicit = (torch.cat(part).abs() for part in zip(*map(parts_of, norms(net)), strict=True))
        numbers[f"channels/{name}"] = Number(float((implicit > explicit).double().mean()))
        numbers[f"ratio/{name}"] = Number(float(implicit.mean() / explicit.mean()))
        numbers[f"share/{name}"] = over(torch.cat([shares(net, x[i : i + 16]) for i in range(0, len(x), 16)]))
        arrays[name] = torch.stack([explicit, implicit])
    return Measured(numbers, arrays)


def resnet(lab: Lab, depth: int) -> nn.Module:
    """A pretrained CIFAR-10 ResNet."""
    net = CifarResNet((depth - 2) // 6)
    load_weights(net, lab.weights(f"cifar10_resnet{depth}"))
    return net.to(lab.device).eval()


def norms(net: nn.Module) -> list[nn.BatchNorm2d]:
    return [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]


def parts_of(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Explicit and implicit bias by channel: beta and -mu gamma / sigma."""
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    return norm.bias.detach(), -mean * norm.weight.detach() / (variance + norm.eps).sqrt()


def shares(net: nn.Module, x: Tensor) -> Tensor:
    """Of all |bias-gradients| of batch norms, the share that their implicit biases make. ``(B,)``"""
    outputs: list[Tensor] = []
    handles = [m.register_forward_hook(lambda m, args, out: outputs.append(out)) for m in norms(net)]
    try:
        score = net(x).amax(1).sum()
    finally:
        for handle in handles:
            handle.remove()
    slopes = torch.autograd.grad(score, outputs)
    sums = torch.zeros(2, len(x), device=x.device)
    for norm, slope in zip(norms(net), slopes, strict=True):
        size = slope.abs().sum((2, 3))
        sums += torch.stack([(size * b.abs()).sum(1) for b in parts_of(norm)])
    return sums[1] / sums.sum(0)
