"""Occlusion pixel by pixel: for every pixel, every window that covers it, one forward each, and the mean of the drops."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def occlusion(
    model: nn.Module, inputs: Tensor, target: Tensor, window: tuple[int, int], stride: tuple[int, int], fill: Any = 0.0
) -> Tensor:
    height, width = inputs.shape[2:]
    corners = [(a, b) for a in _places(height, window[0], stride[0]) for b in _places(width, window[1], stride[1])]
    maps = torch.zeros(len(inputs), 1, height, width, dtype=inputs.dtype)
    filled = torch.zeros_like(inputs) + fill
    with torch.no_grad():
        for n in range(len(inputs)):
            clean = model(inputs[n : n + 1])[0, target[n]]
            drops = {}
            for a, b in corners:
                hidden = torch.zeros(height, width, dtype=torch.bool)
                hidden[a : a + window[0], b : b + window[1]] = True
                drops[a, b] = clean - model(torch.where(hidden, filled[n], inputs[n])[None])[0, target[n]]
            for i in range(height):
                for j in range(width):
                    over = [d for (a, b), d in drops.items() if a <= i < a + window[0] and b <= j < b + window[1]]
                    maps[n, 0, i, j] = sum(over) / len(over)
    return maps


def _places(side: int, window: int, stride: int) -> list[int]:
    return sorted({min(k * stride, side - window) for k in range(side)})
