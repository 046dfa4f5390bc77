"""The input times a random gradient, twice: what the input alone makes of noise (section 5.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...similarity import zero_share
from ...theory.nulls import shared_zeros_null
from ..lab import IMAGENET, Lab
from ..numbers import over
from ..types import Measured, Number
from .alike import SIGNED, compared

LEVELS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Noise in standard deviations of the gradient."""
SETS = ("Fashion-MNIST", "photos")
KINDS = ("truncated normal", "uniform")


def random_gradients(lab: Lab) -> Measured:
    """Similarities of x * u with x * v, of u with v, and of x * u with x, for two distributions on two data sets."""
    numbers: dict[str, Number] = {}
    arrays: dict[str, Tensor] = {}
    for name, x in images_of(lab, photos=100).items():
        for kind in KINDS:
            u, v = (draw(kind, x, seed) for seed in range(2))
            numbers |= compared(f"{name}/{kind}/product", x * u, x * v, SIGNED)
            numbers |= compared(f"{name}/{kind}/noise", u, v, SIGNED)
            numbers |= compared(f"{name}/{kind}/input", x * u, x, SIGNED)
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
    x = images_of(lab)["photos"]
    return Measured(sweep(lab, lab.photo_net("mobilenet_v2"), x))


def growing_noise_fashion(lab: Lab) -> Measured:
    """The same on Fashion-MNIST by its own CNN."""
    return Measured(sweep(lab, lab.network("fashion-cnn"), images_of(lab)["Fashion-MNIST"]))


def images_of(lab: Lab, photos: int = 24) -> dict[str, Tensor]:
    """In the units of the networks: Fashion-MNIST in [0, 1], photos around 0.

    Args:
        photos: how many in the full budget.
    """
    fashion, _ = lab.labelled("FashionMNIST", "test", lab.pick(50, 200))
    return {"Fashion-MNIST": fashion, "photos": lab.photos(lab.pick(8, photos, None)).pixels.to(lab.device)}


def shown(x: Tensor) -> Tensor:
    """Images in [0, 1]."""
    if x.shape[1] == 1:
        return x
    scale, shift = (torch.tensor(IMAGENET[k]).to(x)[:, None, None] for k in ("std", "mean"))
    return x * scale + shift


def draw(kind: str, like: Tensor, seed: int) -> Tensor:
    """Noise around 0."""
    noise, out = torch.Generator().manual_seed(41 + seed), torch.empty(like.shape)
    if kind == "uniform":
        out.uniform_(-1, 1, generator=noise)
    else:
        nn.init.trunc_normal_(out, 0, 1, -2, 2, generator=noise)
    return out.to(like)


def sweep(lab: Lab, model: nn.Module, x: Tensor) -> dict[str, Number]:
    """Similarities of x * (g + noise) with x * (g + other noise), and of the two noisy gradients, by level."""
    g = lab.method("gradient")(model, x)
    step = g.flatten(1).std(1, correction=0)[:, None, None, None]
    n1, n2 = (draw("truncated normal", x, seed) for seed in range(2))
    numbers: dict[str, Number] = {}
    for level in LEVELS:
        first, second = g + level * step * n1, g + level * step * n2
        numbers |= compared(f"product/{level:g}", x * first, x * second, SIGNED)
        numbers |= compared(f"gradient/{level:g}", first, second, SIGNED)
    return numbers
