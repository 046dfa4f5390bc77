"""The input times a random gradient, twice: what the input alone makes of noise (section 5.2)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...similarity import support_spearman, zero_share
from ...theory.nulls import shared_zeros_null
from ..lab import IMAGENET, Lab
from ..numbers import over
from ..types import Measured, Number
from .alike import SIGNED, Alike, compared

LEVELS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Noise in standard deviations of the gradient."""
BATCH = 20
SETS = ("Fashion-MNIST", "photos")
AROUND = ("truncated normal", "uniform in [-1, 1]")
POSITIVE = "uniform in [0, 1]"
METRICS: Mapping[str, Alike] = {**SIGNED, "support": support_spearman}
KINDS = (*AROUND, POSITIVE)
"""The paper gives no range of its uniform vectors; only those around 0 have a sign of their own."""


def random_gradients(lab: Lab) -> Measured:
    """Similarities of x * u with x * v, of u with v, and of x * u with x, for three distributions on two data sets."""
    numbers: dict[str, Number] = {}
    arrays: dict[str, Tensor] = {}
    for name, x in (("Fashion-MNIST", fashion(lab)), ("photos", photos(lab))):
        for kind in KINDS:
            u, v = (draw(kind, x, seed) for seed in range(2))
            numbers |= compared(f"{name}/{kind}/product", x * u, x * v, METRICS)
            numbers |= compared(f"{name}/{kind}/noise", u, v, SIGNED)
            numbers |= compared(f"{name}/{kind}/input", x * u, x, METRICS)
            if kind == KINDS[0]:
                arrays |= {
                    f"{name}/{n}": part[:1] for n, part in {"x": shown(x), "u": u, "xu": x * u, "xv": x * v}.items()
                }
        share = zero_share(x, x)
        numbers[f"{name}/zeros"] = over(share)
        numbers[f"{name}/null"] = over(shared_zeros_null(x[0, 0].numel(), share))
    return Measured(numbers, arrays)


def growing_noise(lab: Lab) -> Measured:
    """A real gradient with growing noise: on photos by MobileNetV2."""
    return Measured(sweep(lab, lab.photo_net("mobilenet_v2"), photos(lab)))


def growing_noise_fashion(lab: Lab) -> Measured:
    """The same on Fashion-MNIST by its own CNN."""
    return Measured(sweep(lab, lab.network("fashion-cnn"), fashion(lab)))


def fashion(lab: Lab) -> Tensor:
    """In [0, 1]."""
    return lab.labelled("FashionMNIST", "test", lab.pick(50, 200, 1000))[0]


def photos(lab: Lab) -> Tensor:
    """In the units of the networks, around 0."""
    return lab.photos(lab.pick(8, 100)).pixels.to(lab.device)


def shown(x: Tensor) -> Tensor:
    """Images in [0, 1]."""
    if x.shape[1] == 1:
        return x
    scale, shift = (torch.tensor(IMAGENET[k]).to(x)[:, None, None] for k in ("std", "mean"))
    return x * scale + shift


def draw(kind: str, like: Tensor, seed: int) -> Tensor:
    """Noise of one of `KINDS`."""
    noise, out = torch.Generator().manual_seed(41 + seed), torch.empty(like.shape)
    if kind != AROUND[0]:
        out.uniform_(0 if kind == POSITIVE else -1, 1, generator=noise)
    else:
        nn.init.trunc_normal_(out, 0, 1, -2, 2, generator=noise)
    return out.to(like)


def sweep(lab: Lab, model: nn.Module, x: Tensor) -> dict[str, Number]:
    """Similarities of x * (g + noise) with x * (g + other noise), and of the two noisy gradients, by level."""
    g = torch.cat([lab.method("gradient")(model, part) for part in torch.split(x, BATCH)])
    step = g.flatten(1).std(1, correction=0)[:, None, None, None]
    n1, n2 = (draw(AROUND[0], x, seed) for seed in range(2))
    numbers: dict[str, Number] = {}
    for level in LEVELS:
        first, second = g + level * step * n1, g + level * step * n2
        numbers |= compared(f"product/{level:g}", x * first, x * second, SIGNED)
        numbers |= compared(f"gradient/{level:g}", first, second, SIGNED)
    return numbers
