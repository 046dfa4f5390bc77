"""LRP on the networks that people use: what runs, what adds up, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.models.spec import load_model

torchvision = pytest.importorskip("torchvision", reason="needs heatproof[vision]")
pytest.importorskip("timm", reason="needs heatproof[vision]")


def photos(size: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1)).to(dtype)


def network(name: str) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return load_model(name).model


NETWORKS = {
    "torchvision:resnet18": 64,
    "torchvision:vgg11_bn": 64,
    "torchvision:mobilenet_v2": 64,
    "torchvision:squeezenet1_0": 64,
    "torchvision:densenet121": 64,
    "torchvision:inception_v3": 96,
    "torchvision:efficientnet_b0": 64,
    "torchvision:mobilenet_v3_small": 64,
    "torchvision:swin_v2_t": 64,
    "timm:vit_tiny_patch16_224": 224,
    "timm:convnext_atto": 64,
}


@pytest.mark.parametrize(("name", "size"), NETWORKS.items())
@pytest.mark.parametrize("rule", ["epsilon", "zplus", "composite"])
def test_runs_and_is_finite(name: str, size: int, rule: str) -> None:
    maps, residual = hp.lrp(network(name), photos(size), rule=rule, return_residual=True)
    assert maps.isfinite().all()
    assert residual.isfinite().all()


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
@pytest.mark.parametrize("rule", ["epsilon", "zplus", "gamma", "composite"])
def test_conserves_where_no_bias_absorbs(name: str, rule: str) -> None:
    """In float64, every bias zero and batch norm without an offset: the residual is next to nothing. Not so
    alphabeta: an output whose contributions have one sign hands on alpha or -beta times its relevance."""
    model = network(f"torchvision:{name}").double()
    for module in model.modules():
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)
    maps, residual = hp.lrp(model, photos(64, torch.float64), rule=rule, epsilon=1e-12, return_residual=True)
    assert maps.any()
    assert residual.abs().item() <= 1e-6 * maps.abs().sum().item()


def test_padded_images_are_refused_by_the_box_only() -> None:
    model = network("timm:tf_efficientnet_b0")
    assert hp.lrp(model, photos(64), rule="epsilon_plus").isfinite().all()
    with pytest.raises(hp.NotApplicable, match="pixel by pixel"):
        hp.lrp(model, photos(64), rule="composite")


def test_response_norm_is_refused_by_name() -> None:
    model = nn.Sequential(torchvision.models.alexnet().features[:2], nn.LocalResponseNorm(5), nn.Flatten()).eval()
    with pytest.raises(hp.EscapedOp, match="local_response_norm"):
        hp.lrp(model, photos(64))
