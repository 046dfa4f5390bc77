"""Integrated gradients as a loop over points of the path, one ordinary backward pass for each."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def integrated(model: nn.Module, x: Tensor, start: Tensor, target: Tensor, rule: str, steps: int) -> Tensor:
    """Equation 3 of arXiv:1703.01365: positions and weights written out rule by rule."""
    total = torch.zeros_like(x)
    for i in range(steps):
        at, weight = {
            "midpoint": ((2 * i + 1) / (2 * steps), 1 / steps),
            "right": ((i + 1) / steps, 1 / steps),
            "pair": (i / (steps - 1), 1 / steps),
            "trapezoid": (i / (steps - 1), (0.5 if i in (0, steps - 1) else 1) / (steps - 1)),
        }[rule]
        point = ((1 - at) * start + at * x).detach().requires_grad_()
        model(point)[torch.arange(len(x)), target].sum().backward(inputs=[point])
        total += weight * point.grad
    return (x - start) * total
