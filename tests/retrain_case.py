"""A task for remove and retrain whose evidence is known: a square, coloured by the class, at a place that tells nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from heatproof.roar import Retrained, roar

SIDE, SQUARE = 12, 3
Data = tuple[Tensor, Tensor]


class Net(nn.Module):
    """Finds a coloured square wherever it is."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.out = nn.Conv2d(2, 6, 3), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(torch.relu(self.conv(x)).amax((2, 3)))
        return out


def task(count: int, seed: int) -> tuple[Data, Tensor]:
    """Images, classes and the true mask ``(N, 1, H, W)``."""
    draw = torch.Generator().manual_seed(seed)
    pixels = 0.3 * torch.randn(count, 2, SIDE, SIDE, generator=draw)
    targets = torch.randint(2, (count,), generator=draw)
    mask = torch.zeros(count, 1, SIDE, SIDE)
    for i, (down, across) in enumerate(torch.randint(SIDE - SQUARE + 1, (count, 2), generator=draw).tolist()):
        place = (slice(down, down + SQUARE), slice(across, across + SQUARE))
        pixels[i, targets[i]][place] += 1.5
        mask[i, 0][place] = 1.0
    return (pixels, targets), mask


def tiny(folder: Path, **settings: Any) -> Retrained:
    """A run of a second or two."""
    (train, _), (test, _) = task(40, 0), task(30, 1)
    options: dict[str, Any] = {
        "factory": Net, "fractions": (0.2, 0.6), "networks": 2, "epochs": 1, "batch": 20, "lr": 0.02, "chunk": 16,
        "workers": 1, "bf16": False, "out": folder, "controls": ("random", "mask"),
    }  # fmt: skip
    return roar(None, train, test, ("gradient",), **{**options, **settings})
