"""Maps of untrained networks: what the architecture alone knows of an image (section 5.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...models.nets.adebayo import AdebayoCNN
from ...models.spec import load_model
from ...train import seeded
from ..lab import IMAGENET, Lab
from ..numbers import over
from ..types import Measured, Number
from .alike import DRAWN, magnitude, rolled

METHODS = ("gradient", "gradient_x_input", "guided_backprop", "gradcam")
NOISE = "random_map"
SIZE = 112

Maps = list[dict[str, Tensor]]
"""Magnitudes by network and method."""


def untrained(lab: Lab) -> Measured:
    """The paper's CNN on MNIST and SqueezeNet on photos, networks of different seeds in pairs."""
    networks = lab.pick(6, 8, 20)
    digits, _ = lab.labelled("MNIST", "test", 100)
    photos = lab.photos(lab.pick(6, 12, 50)).pixels.to(lab.device)
    sets: dict[str, tuple[Tensor, Callable[[int], nn.Module]]] = {
        "MNIST": (digits, lambda seed: seeded(AdebayoCNN, seed).to(lab.device).eval()),
        "photos": (photos, lambda seed: load_model("torchvision:squeezenet1_0", seed=seed, device=lab.device).model),
    }
    numbers: dict[str, Number] = {}
    arrays: dict[str, Tensor] = {}
    for name, (x, network) in sets.items():
        edges = lab.method("edge_map")(network(0), x)
        maps = [maps_of(lab, network(seed), x, seed) for seed in range(networks)]
        numbers |= {f"{name}/{key}": n for key, n in compared(maps, edges).items()}
        if name == "photos":
            arrays = drawn(x, edges, maps)
    return Measured(numbers, arrays)


def maps_of(lab: Lab, model: nn.Module, x: Tensor, seed: int) -> dict[str, Tensor]:
    """Magnitudes of the predicted class, and of noise that differs from network to network."""
    texts = {**{n: n for n in METHODS}, NOISE: f"{NOISE}(seed={seed})"}
    with torch.no_grad():
        y = model(x).argmax(1)
    return {n: magnitude(lab.method(text)(model, x, y).detach()) for n, text in texts.items()}


def compared(maps: Maps, edges: Tensor) -> dict[str, Number]:
    """Similarities of two networks' maps of an image, and of maps with edges; and both less those with another image."""
    numbers: dict[str, Number] = {}
    pairs = list(zip(maps[::2], maps[1::2], strict=True))
    for metric, alike in DRAWN.items():
        for n in (*METHODS, NOISE):
            same = torch.stack([alike(a[n], b[n]) for a, b in pairs])
            other = torch.stack([alike(a[n], rolled(b[n])) for a, b in pairs])
            own = torch.stack([alike(m[n], edges) for m in maps])
            apart = torch.stack([alike(m[n], rolled(edges)) for m in maps])
            found: Mapping[str, Tensor] = {
                "networks": same, "networks-more": same - other, "edges": own, "edges-more": own - apart,
            }  # fmt: skip
            numbers |= {f"{key}/{n}/{metric}": over(cells) for key, cells in found.items()}
    return numbers


def drawn(x: Tensor, edges: Tensor, maps: Maps) -> dict[str, Tensor]:
    """Two photos, their edges, and the maps of two networks, small."""
    scale, shift = (torch.tensor(IMAGENET[k]).to(x)[:, None, None] for k in ("std", "mean"))
    places = [0, len(x) // 2]
    arrays = {"photos": x[places] * scale + shift, "edges": edges[places]}
    arrays |= {f"{seed}/{n}": maps[seed][n][places] for seed in range(2) for n in METHODS}
    return {n: F.interpolate(a.float(), size=SIZE, mode="area") for n, a in arrays.items()}
