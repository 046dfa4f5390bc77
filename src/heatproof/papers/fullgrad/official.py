"""FullGrad maps beside a slow version of equation 2 and of the authors' code."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...engine.chunks import normal_like, sample_generators
from ...models.nets.vgg9 import VGG9
from ...similarity.spearman import spearman
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number

LAYERS = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)
MAPS = {
    "equation 2": ("fullgrad(rescale='channel')", "channel"),
    "rescaled by layer": ("fullgrad", "layer"),
    "psi_m": ("fullgrad(rescale='none', values='signed')", "signed"),
    "official code": ("fullgrad(official=True)", "official"),
    "SimpleFullGrad": ("simple_fullgrad(official=True)", "simple"),
}
"""By what the paper or its code has: our method's text, and the slow version's name."""
DRAWS, SIGMA = 5, 0.15


def maps(lab: Lab) -> Measured:
    """Largest difference of maps from the slow version, relative to the map; rank correlation of both rescalings."""
    nets: dict[str, tuple[nn.Module, Tensor]] = {
        "ResNet-20": (lab.resnet20().double(), lab.cifar_units(4)[0].double()),
        "VGG-9": (vgg9(), torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)),
    }
    numbers = {}
    for net_name, (net, x) in nets.items():
        for name, (text, how) in MAPS.items():
            numbers[f"{name}/{net_name}"] = Number(apart(lab.method(text)(net, x), slow_map(net, x, how)))
        by_channel, by_layer = (lab.method(MAPS[name][0])(net, x) for name in ("equation 2", "rescaled by layer"))
        numbers[f"channel - layer/{net_name}"] = Number(apart(by_layer, by_channel))
    numbers |= smooth(lab, *nets["ResNet-20"])
    many = lab.cifar_units(lab.pick(16, 128))[0]
    channel, layer = (lab.method(MAPS[name][0])(lab.resnet20(), many) for name in ("equation 2", "rescaled by layer"))
    numbers["rank correlation"] = over(spearman(channel, layer))
    return Measured(numbers)


def vgg9() -> nn.Module:
    """At quarter width, with random weights and batch-norm statistics, in float64."""
    net, noise = VGG9(width=0.25), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
            if tensor.is_floating_point():
                drawn = torch.randn(tensor.shape, generator=noise) * 0.2
                tensor.copy_(drawn.abs() + 0.5 if "var" in name else drawn)
    return net.double().eval()


def slow_map(net: nn.Module, x: Tensor, how: str) -> Tensor:
    """S_f of equation 2, one image, layer and channel at a time. ``(B, C, H, W) -> (B, 1, H, W)``."""
    rows = []
    for image in x:
        grad, layers = by_layers(net, image[None])
        total = _processed((grad * image[None])[0], how, image.shape[-2:])
        for layer, slope in layers:
            if slope.dim() == 4:
                share = slope[0] * (1 if how == "simple" else bias_of(layer)[:, None, None])
                total = total + _processed(share, how, image.shape[-2:])
        rows.append(total[None])
    return torch.stack(rows)


def _processed(share: Tensor, how: str, size: torch.Size) -> Tensor:
    """psi of each channel, summed. ``(C, h, w) -> (H, W)``."""
    eps, code = (1e-6, True) if how in ("official", "simple") else (0.0, False)
    values = share if how == "signed" else share.abs()
    total = share.new_zeros(size)
    for channel in values:
        of = channel if how == "channel" else values
        if how != "signed":
            low, high = of.min(), of.max()
            channel = (channel - low) / (high - low + eps) if high > low or eps else torch.zeros_like(channel)
        wide = F.interpolate(channel[None, None], size=tuple(size), mode="bilinear", align_corners=code)
        total = total + wide[0, 0]
    return total


def by_layers(net: nn.Module, x: Tensor) -> tuple[Tensor, list[tuple[nn.Module, Tensor]]]:
    """Gradient at the input, and at the output of every layer with a bias, of the predicted class."""
    held: list[tuple[nn.Module, Tensor]] = []

    def hook(layer: nn.Module, args: object, out: Tensor) -> None:
        held.append((layer, out))

    handles = [m.register_forward_hook(hook) for m in net.modules() if isinstance(m, LAYERS) and m.bias is not None]
    leaf = x.clone().requires_grad_()
    try:
        score = net(leaf).amax(1).sum()
    finally:
        for handle in handles:
            handle.remove()
    grad, *slopes = torch.autograd.grad(score, [leaf, *(out for _, out in held)])
    return grad, [(layer, slope) for (layer, _), slope in zip(held, slopes, strict=True)]


def bias_of(layer: nn.Module) -> Tensor:
    """What a layer gives for zeros, by channel; of a batch norm beta - mu gamma / sigma."""
    bias = layer.get_parameter("bias").detach()
    if not isinstance(layer, nn.BatchNorm2d):
        return bias
    sigma = (layer.get_buffer("running_var") + layer.eps).sqrt()
    return bias - layer.get_buffer("running_mean") * layer.weight.detach() / sigma


def smooth(lab: Lab, net: nn.Module, x: Tensor) -> dict[str, Number]:
    """Our smoothed FullGrad beside SmoothFullGrad of the authors' code, and beside a mean of slow maps; the same noise."""
    given = lab.method(f"smooth(fullgrad(official=True), n={DRAWS}, sigma={SIGMA})")(net, x)
    with torch.no_grad():
        target = net(x).argmax(1)
    singles = [Only(net, int(t)) for t in target]
    noisy = copies(x)
    code = torch.stack([summed(single, noisy[:, i]) for i, single in enumerate(singles)])
    mean = torch.cat([slow_map(single, noisy[:, i], "official").mean(0) for i, single in enumerate(singles)])[:, None]
    return {
        "SmoothFullGrad/ResNet-20": Number(apart(given, code)),
        "SmoothFullGrad/rank correlation": over(spearman(given, code)),
        "SmoothFullGrad/mean of maps": Number(apart(given, mean)),
    }


def copies(x: Tensor) -> Tensor:
    """Images with noise of `SIGMA` times their range. ``(DRAWS, B, C, H, W)``"""
    draws = sample_generators(0, None, len(x), "smooth")
    spread = SIGMA * (x.flatten(1).amax(1) - x.flatten(1).amin(1)).reshape(-1, 1, 1, 1)
    return torch.stack([x + spread * normal_like(x, draws) for _ in range(DRAWS)])


def summed(net: nn.Module, noisy: Tensor) -> Tensor:
    """The map of the authors' code: signed shares summed over the noisy copies of an image, then psi. ``(1, H, W)``"""
    shares: list[Tensor] = []
    for z in noisy[:, None]:
        grad, layers = by_layers(net, z)
        parts = [(grad * z).sum(1)]
        parts += [slope[0] * bias_of(layer)[:, None, None] for layer, slope in layers if slope.dim() == 4]
        shares = [a + b for a, b in zip(shares, parts, strict=True)] if shares else parts
    total = torch.stack([_processed(share, "official", noisy.shape[-2:]) for share in shares]).sum(0)
    return total[None]


class Only(nn.Module):
    """One logit of a network."""

    def __init__(self, net: nn.Module, target: int) -> None:
        super().__init__()
        self.net, self.target = net, target

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out[:, self.target, None]


def apart(given: Tensor, expected: Tensor) -> float:
    return float((given - expected).abs().max() / expected.abs().max())
