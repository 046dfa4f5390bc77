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
    net, x = nets["ResNet-20"]
    given = lab.method(f"smooth(fullgrad, n={DRAWS}, sigma={SIGMA})")(net, x)
    numbers["SmoothFullGrad/ResNet-20"] = Number(apart(given, smoothed(net, x)))
    many = lab.cifar_units(lab.pick(16, 128))[0]
    channel, layer = (lab.method(MAPS[name][0])(lab.resnet20(), many) for name in ("equation 2", "rescaled by layer"))
    numbers["rank correlation"] = over(spearman(channel, layer))
    return Measured(numbers | {f"example/{how}": Number(value) for how, value in example().items()})


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
    total = torch.zeros(size, dtype=share.dtype)
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


def smoothed(net: nn.Module, x: Tensor) -> Tensor:
    """The mean of slow maps over noisy copies, all of the class of the clean image."""
    draws = sample_generators(0, None, len(x), "smooth")
    spread = SIGMA * (x.flatten(1).amax(1) - x.flatten(1).amin(1)).reshape(-1, 1, 1, 1)
    with torch.no_grad():
        target = net(x).argmax(1)
    noisy = [x + spread * normal_like(x, draws) for _ in range(DRAWS)]
    found = [slow_map(Only(net, int(t)), part[i : i + 1], "layer") for part in noisy for i, t in enumerate(target)]
    return torch.cat(found).reshape(DRAWS, len(x), 1, *x.shape[2:]).mean(0)


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


def example() -> dict[str, float]:
    """Shares [1, -3] and [.5, .25] of two channels: the first value of the map, by layer and by channel (T-S2-6)."""
    share = torch.tensor([[[1.0, -3.0]], [[0.5, 0.25]]], dtype=torch.float64)
    return {how: float(_processed(share, how, share.shape[1:])[0, 0]) for how in ("layer", "channel")}
