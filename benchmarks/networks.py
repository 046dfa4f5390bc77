"""Networks and inputs of the rows. Weights are random, which costs what trained ones do."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from heatproof.data.folder import read_images
from heatproof.data.preprocess import Preprocess
from heatproof.train import seeded

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
DATA = Path(os.environ.get("HEATPROOF_DATA") or Path(__file__).parents[2] / "shared/data")
IMAGENET = Preprocess(size=224, resize=256, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
RANGE = 4.0
"""Largest less smallest value of every image, so that noise in shares of it is the same for a batch."""


@lru_cache(maxsize=2)
def network(name: str) -> nn.Module:
    """A torchvision or timm network in evaluation mode, without in-place activations, which captum cannot take."""
    if name.startswith("timm:"):
        import timm

        model: nn.Module = seeded(lambda: timm.create_model(name.removeprefix("timm:")), 0)
    else:
        import torchvision

        model = seeded(lambda: torchvision.models.get_model(name, weights=None), 0)
    for module in model.modules():
        if hasattr(module, "inplace"):
            module.inplace = False  # type: ignore[assignment]
    return lived_in(model, images(8).cpu()).requires_grad_(False).to(DEVICE)


@torch.no_grad()
def lived_in(model: nn.Module, x: Tensor) -> nn.Module:
    """Biases that are not zero, and the batch-norm statistics of a batch: with neither, FullGrad has nothing to sum."""
    noise = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.copy_(torch.randn(parameter.shape, generator=noise) * 0.05)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        model.train()(x)
    return model.eval()


def small(width: int = 16, depth: int = 4, classes: int = 10, pooled: int = 0) -> nn.Module:
    """Convolutions with batch norm on images of three channels, the first `pooled` of them followed by a pooling."""

    def made() -> nn.Module:
        layers: list[nn.Module] = []
        for place in range(depth):
            layers += [nn.Conv2d(width if place else 3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if place < pooled else []
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))

    model = seeded(made, 0)
    return lived_in(model, images(8, 32).cpu()).requires_grad_(False).to(DEVICE)


def images(count: int, side: int = 224) -> Tensor:
    """Smooth random pictures in a network's units. ``(count, 3, side, side)``"""
    noise = torch.randn(count, 3, side // 8, side // 8, generator=torch.Generator().manual_seed(0))
    x = nn.functional.interpolate(noise, size=side, mode="bilinear")
    low, high = (ends(1).reshape(-1, 1, 1, 1) for ends in (x.flatten(1).amin, x.flatten(1).amax))
    return (RANGE * (x - low) / (high - low) - RANGE / 2).to(DEVICE)


def photos(count: int) -> Tensor:
    """Photos of the data folder, smooth random pictures where there is none. ``(count, 3, 224, 224)``"""
    folder = DATA / "imagenet-samples"
    return read_images(folder, IMAGENET, limit=count).pixels.to(DEVICE) if folder.is_dir() else images(count)


def targets(count: int) -> Tensor:
    return torch.arange(count, device=DEVICE) * 37 % 1000
