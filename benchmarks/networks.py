"""Networks and inputs of the rows: random weights, which cost what trained ones do."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn

from heatproof.train import seeded


@lru_cache(maxsize=2)
def network(name: str) -> nn.Module:
    """A torchvision or timm network in evaluation mode, without in-place activations, which captum cannot take."""
    if name.startswith("timm:"):
        import timm

        model = seeded(lambda: timm.create_model(name.removeprefix("timm:")), 0)
    else:
        import torchvision

        model = seeded(lambda: torchvision.models.get_model(name, weights=None), 0)
    for module in model.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.eval().requires_grad_(False).to(device)


def images(count: int, side: int = 224) -> Tensor:
    """Smooth random pictures in a network's units. ``(count, 3, side, side)``"""
    noise = torch.randn(count, 3, side // 8, side // 8, generator=torch.Generator().manual_seed(0))
    x = torch.nn.functional.interpolate(noise, size=side, mode="bilinear")
    return x.to("cuda" if torch.cuda.is_available() else "cpu")


def targets(count: int) -> Tensor:
    return torch.arange(count, device="cuda" if torch.cuda.is_available() else "cpu") * 37 % 1000
