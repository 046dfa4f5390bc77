"""Pixel perturbation on MNIST, where most pixels are black already and removing them changes nothing (section 6)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ...types import Explain
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number
from .pixel import FULLGRAD, MNIST, PSI, RANDOM, digits, mnist_units, named, perturbed

INK = (0.05, 0.1, 0.25, 0.5)
"""Of the pixels that are not black."""
IMAGE = "the image itself"
CHUNK = 100


def pixel_mnist(lab: Lab) -> Measured:
    """LeNet on MNIST: FullGrad with the paper's post-processing and with psi_mnist, over all pixels and over the ink."""
    x, _ = digits(lab, lab.pick(200, 1000, 10_000))
    net, black = lab.lenet(), mnist_units(torch.zeros(1))
    methods = {**named(lab, {FULLGRAD: "fullgrad", **PSI}), IMAGE: over_black}
    found = perturbed(lab, "pixel", net, x, methods, black)
    rows = {**methods, RANDOM: lab.method(RANDOM)}
    cells = {name: on_ink(net, x, explain, float(black)) for name, explain in rows.items()}
    found |= {f"ink/{name}": over(values) for name, values in cells.items()}
    found[f"ink/{MNIST} - {FULLGRAD}"] = over(cells[MNIST] - cells[FULLGRAD])
    found["black"] = Number(float((x <= float(black) + 1e-4).double().mean()))
    return Measured(found)


def over_black(model: nn.Module, inputs: Tensor, target: Any = None, **options: Any) -> Tensor:
    """How far pixels are from the darkest one: a map that knows nothing of the network."""
    return inputs - inputs.amin((1, 2, 3), keepdim=True)


def on_ink(net: nn.Module, x: Tensor, explain: Explain, black: float) -> Tensor:
    """Mean over `INK` of |f - f'| / |f| where the least salient pixels that are not black are removed. ``(B,)``"""
    return torch.cat([_on_ink(net, part, explain, black) for part in torch.split(x, CHUNK)])


def _on_ink(net: nn.Module, x: Tensor, explain: Explain, black: float) -> Tensor:
    ink = (x > black + 1e-4).flatten(1)
    size = explain(net, x).detach().abs().sum(1).flatten(1).masked_fill(~ink, torch.inf)
    rank = size.argsort(dim=1, stable=True).argsort(1)
    with torch.no_grad():
        out: Tensor = net(x)
        f, predicted = out.max(1)
        changes = []
        for fraction in INK:
            gone = rank < (fraction * ink.sum(1, keepdim=True)).round()
            after = net(x.masked_fill(gone.reshape(x.shape), black)).gather(1, predicted[:, None])[:, 0]
            changes.append(((f - after) / f).abs())
    return torch.stack(changes).mean(0)
