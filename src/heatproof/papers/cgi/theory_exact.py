"""Definitions, lemma 1 and both algorithms beside slow versions of their own, on small networks in float64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..lab import Lab
from ..types import Measured, Number

Net = TypeVar("Net", bound=nn.Module)
NETWORKS, IMAGES, CLASSES, SIDE = 10, 3, 5, 5
STEP = 1e-6
COMPLETE = {
    "integrated gradients": "integrated_gradients(steps=300)",
    "DeepLIFT": "deeplift",
    "LRP": "lrp",
    "signed FullGrad": "fullgrad(values='signed', rescale='none')",
}
"""Maps that the competition goes over; LRP is complete without biases only."""


def definitions(lab: Lab) -> Measured:
    """Largest deviations of the package's maps from the paper's words; shares of values where a contest removed some."""
    numbers: dict[str, float] = {}
    for name, value in (*_gradients(lab), *_algorithms(lab), *_any_map(lab), *_equal_methods(lab), *_variants(lab)):
        numbers[name] = max(value, numbers.get(name, value))
    return Measured({name: Number(value) for name, value in numbers.items()})


def _gradients(lab: Lab) -> Iterator[tuple[str, float]]:
    """Gradient x input beside central differences, and its sum beside the logit (lemma 1)."""
    explain = lab.method("gradient_x_input")
    for seed in range(NETWORKS):
        x = images(seed)
        for bias in (True, False):
            net = network(seed, bias)
            maps, logits = explain(net, x, all_classes()), net(x).T.detach()
            gap = (maps.flatten(2).sum(2) - logits).abs().max() / logits.abs().max()
            yield ("bias gap" if bias else "lemma 1"), float(gap)
            yield "definition", _largest(maps, differences(net, x) * x)


def _algorithms(lab: Lab) -> Iterator[tuple[str, float]]:
    """Algorithms 1 and 2 pixel by pixel."""
    for seed in range(NETWORKS):
        x, net = images(seed), network(seed, True)
        votes = differences(net, x) * x
        yield "algorithm 1", _largest(lab.method("cgi")(net, x, all_classes()), slow_contest(votes))
        dense = dense_network(seed)
        relevance = torch.stack([torch.stack([slow_lrp(dense, one, c) for one in x]) for c in range(CLASSES)])
        yield "relevance", _largest(lab.method("lrp")(dense, x, all_classes()), relevance)
        yield "algorithm 2", _largest(lab.method("clrp")(dense, x, all_classes()), slow_contest(relevance))


def _any_map(lab: Lab) -> Iterator[tuple[str, float]]:
    """The same rule over other maps, and how far each is from completeness."""
    for (name, text), seed in ((item, s) for item in COMPLETE.items() for s in range(2)):
        x, net = images(seed), flat_network(seed, bias=name != "LRP")
        maps, logits = lab.method(text)(net, x, all_classes()), net(x).T.detach()
        left = lab.method(f"compete({text})")(net, x, all_classes())
        whole = logits if name in ("LRP", "signed FullGrad") else logits - net(torch.zeros_like(x)).T.detach()
        yield f"rule/{name}", _largest(left, slow_contest(maps))
        yield f"complete/{name}", float((maps.flatten(2).sum(2) - whole).abs().max() / whole.abs().max())
        yield f"removed/{name}", float(((maps != 0) & (left == 0)).double().mean())


def _equal_methods(lab: Lab) -> Iterator[tuple[str, float]]:
    """Epsilon-LRP and DeepLIFT beside gradient x input where no layer has a bias (section 2.1)."""
    for seed in range(NETWORKS):
        x, net = images(seed), network(seed, bias=False)
        maps = lab.method("gradient_x_input")(net, x, all_classes())
        yield "LRP equals", _largest(lab.method("lrp(epsilon=1e-12)")(net, x, all_classes()), maps)
        yield "DeepLIFT equals", _largest(lab.method("deeplift")(net, x, all_classes()), maps)


def _variants(lab: Lab) -> Iterator[tuple[str, float]]:
    """One function added to all logits, which no softmax sees; two equal logits under >= and under the text's >."""
    for seed in range(NETWORKS):
        x, net = images(seed), network(seed, True)
        shifted = Shifted(net, seed).eval()
        for name, text in (("shift", "cgi"), ("shift, centred", "compete(gradient_x_input, center=True)")):
            yield name, _largest(lab.method(text)(shifted, x, all_classes()), lab.method(text)(net, x, all_classes()))
        yield "softmax", _largest(shifted(x).softmax(1), net(x).softmax(1))
        twins = Twins(net).eval()
        votes = differences(twins, x) * x
        yield "twins lost, equal wins", 1 - _share(lab.method("cgi")(twins, x, all_classes(2)), votes)
        yield "twins kept, larger wins", _share(slow_contest(votes, strict=True), votes)


class Shifted(nn.Module):
    """A network with the same linear function of the input added to every logit."""

    def __init__(self, net: nn.Module, seed: int) -> None:
        super().__init__()
        self.net, self.shift = net, _seeded(nn.Linear(2 * SIDE * SIDE, 1, bias=False), seed)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x) + self.shift(x.flatten(1))
        return logits


class Twins(nn.Module):
    """The first logit of a network, twice."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits[:, [0, 0]]


def slow_contest(votes: Tensor, strict: bool = False) -> Tensor:
    """Algorithms 1 and 2 as they are printed, scalar by scalar, for every class y. ``(C, B, ...)``; strict: > for >=."""
    flat = votes.flatten(1).T.tolist()
    found = torch.zeros(len(flat), len(votes), dtype=votes.dtype)
    for place, s in enumerate(flat):
        for y in range(len(s)):
            others = s[:y] + s[y + 1 :]
            sign = 1 if s[y] > 0 else -1
            wins = all(sign * s[y] > sign * other or (s[y] == other and not strict) for other in others)
            found[place, y] = s[y] if wins else 0.0
    return found.T.reshape(votes.shape)


def slow_lrp(net: nn.Sequential, x: Tensor, y: int, epsilon: float = 1e-7) -> Tensor:
    """Epsilon-LRP of a network of linear layers and ReLUs, by R_i = sum_j x_i w_ji R_j / (z_j + epsilon sign z_j)."""
    layers = [layer for layer in net if isinstance(layer, nn.Linear)]
    values = [x.flatten()]
    for layer in layers:
        values.append(layer(values[-1]).detach().clamp(min=0))
    relevance = torch.zeros(CLASSES, dtype=x.dtype)
    relevance[y] = layers[-1](values[-2]).detach()[y]
    for layer, a in zip(reversed(layers), reversed(values[:-1]), strict=True):
        z = layer(a).detach()
        shares = relevance / (z + epsilon * torch.where(z < 0, -1.0, 1.0))
        relevance = a * (layer.weight.detach().T @ shares)
    return relevance.reshape(x.shape)


def differences(net: nn.Module, x: Tensor) -> Tensor:
    """Gradients of all logits by central differences, exact on a linear piece. ``-> (C, B, ...)``."""
    flat = x.flatten(1)
    columns = []
    for place in range(flat.shape[1]):
        step = torch.zeros_like(flat)
        step[:, place] = STEP
        ahead, behind = (net((flat + side * step).view_as(x)).detach() for side in (1, -1))
        columns.append((ahead - behind) / (2 * STEP))
    return torch.stack(columns, 2).transpose(0, 1).reshape(-1, *x.shape)


def network(seed: int, bias: bool) -> nn.Sequential:
    """A convolution, a pool and two linear layers."""
    return _seeded(
        nn.Sequential(nn.Conv2d(2, 4, 2, bias=bias), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                      nn.Linear(16, 8, bias=bias), nn.ReLU(), nn.Linear(8, CLASSES, bias=bias)), seed
    )  # fmt: skip


def flat_network(seed: int, bias: bool) -> nn.Sequential:
    """Convolutions that keep the size of the image, so that FullGrad's shares need no upsampling."""
    convolutions = [nn.Conv2d(a, b, 3, padding=1, bias=bias) for a, b in ((2, 4), (4, 3))]
    head = nn.Linear(3 * SIDE * SIDE, CLASSES, bias=False)
    return _seeded(nn.Sequential(convolutions[0], nn.ReLU(), convolutions[1], nn.ReLU(), nn.Flatten(), head), seed)


def dense_network(seed: int) -> nn.Sequential:
    """Linear layers with biases."""
    return _seeded(nn.Sequential(nn.Flatten(), nn.Linear(2 * SIDE * SIDE, 8), nn.ReLU(), nn.Linear(8, CLASSES)), seed)


def images(seed: int) -> Tensor:
    """Values of both signs, and zeros."""
    x = torch.randn(IMAGES, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x * (x.abs() > 0.2)


def all_classes(count: int = CLASSES) -> Tensor:
    return torch.arange(count)[:, None].expand(-1, IMAGES).contiguous()


def _seeded(net: Net, seed: int) -> Net:
    """The network in float64 with normal weights."""
    noise = torch.Generator().manual_seed(1000 + seed)
    for parameter in net.double().parameters():
        fan = parameter[0].numel() if parameter.dim() > 1 else 1
        parameter.data = torch.randn(parameter.shape, generator=noise, dtype=torch.float64) / fan**0.5
    return net.eval()


def _largest(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max().detach())


def _share(left: Tensor, votes: Tensor) -> float:
    return float((left != 0).sum() / (votes != 0).sum())
