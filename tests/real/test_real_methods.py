"""Methods on the networks that people use: captum agrees, every family runs or is refused by name."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.models.spec import load_model

torchvision = pytest.importorskip("torchvision", reason="needs heatproof[vision]")
attr = pytest.importorskip("captum.attr", reason="needs heatproof[dev]")


def network(name: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torchvision.models.get_model(name, weights=None).eval()


def photos(size: int = 64) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ["vgg11_bn", "resnet18"])
def test_equal_to_captum(name: str) -> None:
    model, x, target = network(name), photos(), torch.tensor([3, 7])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum's own about its hooks
        guided = attr.GuidedBackprop(network(name)).attribute(x.clone(), target=target)
        plain = attr.Saliency(network(name)).attribute(x.clone(), target=target, abs=False)
        path = attr.IntegratedGradients(network(name)).attribute(
            x.clone(), target=target, n_steps=8, method="riemann_middle"
        )
    for ours, theirs in (
        (hp.guided_backprop(model, x, target), guided),
        (hp.gradient(model, x, target), plain),
        (hp.integrated_gradients(model, x, target, steps=8), path),
    ):
        assert (ours - theirs).abs().max() <= 1e-6 * max(1, float(theirs.abs().max()))
        assert theirs.any()


def test_captum_misses_functional_relus_and_we_do_not() -> None:
    class Functional(nn.Module):
        def __init__(self, relu: Any) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Linear(8, 4)])
            self.relu = relu

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for conv in self.layers[:2]:
                x = self.relu(conv(x))
            return self.layers[2](x.mean((2, 3)))

    torch.manual_seed(0)
    functional = Functional(torch.relu).eval()
    modular = Functional(nn.ReLU()).eval()
    modular.load_state_dict(functional.state_dict())
    x, target = photos(16), torch.tensor([0, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        missed = attr.GuidedBackprop(functional).attribute(x.clone(), target=target)
        right = attr.GuidedBackprop(modular).attribute(x.clone(), target=target)
    assert torch.equal(missed, hp.gradient(functional, x, target)), "captum: the plain gradient, silently"
    for model in (functional, modular):
        torch.testing.assert_close(hp.guided_backprop(model, x, target), right, rtol=0, atol=1e-6)


GUARDED = {
    "torchvision:mobilenet_v2": True,
    "torchvision:squeezenet1_0": True,
    "torchvision:densenet121": True,
    "torchvision:shufflenet_v2_x1_0": True,
    "torchvision:inception_v3": True,
    "timm:resnet18": True,
    "torchvision:efficientnet_b0": False,
    "torchvision:mobilenet_v3_small": False,
    "timm:vit_tiny_patch16_224": False,
    "timm:convnext_atto": False,
}


@pytest.mark.parametrize(("name", "has_rules"), GUARDED.items())
def test_guard_accepts_relu_networks_and_refuses_others_by_name(name: str, has_rules: bool) -> None:
    model = load_model(name).model
    x = photos(299 if "inception" in name else 224)[:1]
    assert hp.gradient(model, x).isfinite().all()
    if has_rules:
        assert not torch.equal(hp.guided_backprop(model, x), hp.gradient(model, x))
        assert hp.gradcam(model, x).shape == (1, 1, *x.shape[2:])
    else:
        with pytest.raises(hp.EscapedOp, match="in module"):
            hp.guided_backprop(model, x)


def test_vit_gradcam_is_refused_with_advice() -> None:
    with pytest.raises(hp.NotApplicable, match="layer="):
        hp.gradcam(load_model("timm:vit_tiny_patch16_224").model, photos(224)[:1])
