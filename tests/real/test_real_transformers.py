"""Transformers: what runs, what is refused and by which name; on the pretrained ViT where its weights are."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.combine import with_effort
from heatproof.data.idx import read_idx

transformer = pytest.importorskip("timm.models.vision_transformer", reason="needs heatproof[vision]")

DATA = Path(os.environ.get("HEATPROOF_DATA", Path(__file__).parents[3] / "shared/data"))
needs_weights = pytest.mark.skipif(
    not (DATA / "weights/vit_mnist.safetensors").exists(), reason="needs the weights of HEATPROOF_DATA"
)

REFUSED = {
    "guided_backprop": r"gelu|softmax",
    "deconvnet": r"gelu|softmax",
    "rectgrad": r"gelu|softmax",
    "guided_gradcam": r"gelu|softmax",
    "gradcam": "layer=",
}
"""Methods with rules for ReLUs only, and GradCAM until it is told a layer; with what the refusal names."""


def vit() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = transformer.VisionTransformer(
            img_size=28, patch_size=7, in_chans=1, num_classes=10, embed_dim=64, depth=6, num_heads=8, mlp_ratio=2,
            qkv_bias=False, final_norm=False, norm_layer=partial(nn.LayerNorm, eps=1e-5),
        )  # fmt: skip
        net.head = nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 10))
        for p in net.parameters():
            if not p.any():
                nn.init.normal_(p, std=0.1)
    return net.eval()


def pictures(count: int = 2) -> Tensor:
    return torch.randn(count, 1, 28, 28, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", hp.METHODS)
def test_every_method_runs_or_says_why_not(name: str) -> None:
    explain, target = with_effort(hp.METHODS[name], 3), torch.tensor([[3, 7], [0, 7]])
    if name in REFUSED:
        with pytest.raises(hp.ModelError, match=f"(?i){REFUSED[name]}"):
            explain(vit(), pictures(), target)
        return
    maps = explain(vit(), pictures(), target)
    assert maps.shape[:2] == (2, 2)
    assert maps.isfinite().all()
    assert maps.any()


def test_gradcam_on_a_layer_of_tokens() -> None:
    maps = hp.gradcam(vit(), pictures(), torch.tensor([3, 7]), layer="blocks.4.norm2")
    assert maps.shape == (2, 1, 28, 28)
    assert maps.any()


@needs_weights
class TestPretrained:
    def network(self) -> Any:
        from safetensors.torch import load_file

        net = vit()
        net.load_state_dict(load_file(DATA / "weights/vit_mnist.safetensors"))
        return net.double()

    def digits(self, count: int = 24) -> tuple[Tensor, Tensor]:
        pixels, labels = read_idx(DATA / "MNIST/raw", "test", count)
        return ((pixels.double() - 0.1307) / 0.3081).reshape(count, 1, 28, 28), labels.long()

    def test_complete_methods_are_complete(self) -> None:
        net, (x, labels) = self.network(), self.digits(8)
        with torch.no_grad():
            logits = net(x).gather(1, labels[:, None])[:, 0]
            black = net(torch.full_like(x, -0.1307 / 0.3081)).gather(1, labels[:, None])[:, 0]
        d = hp.full_gradient(net, x, labels)
        whole = d.input_term.flatten(1).sum(1) + sum(t.value.flatten(1).sum(1) for t in d.terms)
        torch.testing.assert_close(whole, logits, rtol=1e-10, atol=1e-10)
        maps = hp.deeplift(net, x, labels, baseline=-0.1307 / 0.3081)
        torch.testing.assert_close(maps.flatten(1).sum(1), logits - black, rtol=1e-10, atol=1e-10)

    def test_maps_are_on_the_strokes(self) -> None:
        """The strokes are under a fifth of a digit; maps of evidence have far more of their sum there."""
        net, (x, labels) = self.network(), self.digits()
        ink = (x > 0.5).double()
        for explain, share in ((hp.fullgrad, 1.15), (hp.lrp, 2.0), (hp.integrated_gradients, 1.5)):
            maps = explain(net, x, labels).abs()
            on_ink = (maps * ink).flatten(1).sum(1) / maps.flatten(1).sum(1)
            assert (on_ink / ink.flatten(1).mean(1)).mean() > share, explain.__name__
