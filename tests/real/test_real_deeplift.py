"""DeepLIFT on the networks that people use: every map sums to the change of score, or the operation is named."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.models.spec import load_model

pytest.importorskip("torchvision", reason="needs heatproof[vision]")

SIZES = {
    "torchvision:resnet18": 32,
    "torchvision:vgg11_bn": 32,
    "torchvision:mobilenet_v2": 32,
    "torchvision:mobilenet_v3_small": 32,
    "torchvision:squeezenet1_0": 32,
    "torchvision:googlenet": 32,
    "torchvision:inception_v3": 75,
    "torchvision:densenet121": 32,
    "torchvision:shufflenet_v2_x1_0": 32,
    "torchvision:efficientnet_b0": 32,
    "torchvision:convnext_tiny": 32,
    "torchvision:swin_t": 32,
    "torchvision:swin_v2_t": 32,
    "timm:vit_tiny_patch16_224": 64,
    "timm:convnext_atto": 32,
}
OPTIONS = {"timm:vit_tiny_patch16_224": {"img_size": 64}}
GIANTS = {"torchvision:vgg11_bn", "torchvision:convnext_tiny", "torchvision:swin_t", "torchvision:swin_v2_t"}
"""In float32 alone, for time: double precision is for the others."""
LIMIT = {torch.float64: 1e-10, torch.float32: 1e-4}


def photos(size: int, seed: int) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def perturbed(name: str, size: int, dtype: torch.dtype) -> nn.Module:
    """Nothing zero or one by default (heads, layer scales, biases, batch norms), and no signal that dies on the way."""
    model = load_model(name, **OPTIONS.get(name, {})).model.to(dtype)
    generator = torch.Generator().manual_seed(0)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        for key, weight in model.named_parameters():
            spread = 0.3 * weight.std() if weight.numel() > 1 and weight.std() > 1e-4 else 0.1
            weight += spread * torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
            weight += 0.5 if "layer_scale" in key or key.endswith("gamma") else 0.0
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.train()
        model(torch.cat([photos(size, s) for s in range(3, 7)]).to(dtype))
    return model.eval()


@pytest.mark.parametrize("name", SIZES)
def test_sums_to_the_change_of_score(name: str) -> None:
    size, target = SIZES[name], torch.tensor([3, 7])
    dtypes = [torch.float32] if name in GIANTS else list(LIMIT)
    model = perturbed(name, size, dtypes[0])
    for dtype in dtypes:
        model, x, start = model.to(dtype), photos(size, 1).to(dtype), photos(size, 2).to(dtype)
        for baseline in (torch.zeros_like(x), start):
            maps = hp.deeplift(model, x, target, baseline=baseline)
            with torch.no_grad():
                change = (model(x) - model(baseline)).gather(1, target[:, None])[:, 0]
            gap = (maps.flatten(1).sum(1) - change).abs() / maps.abs().flatten(1).sum(1)
            assert gap.max() <= LIMIT[dtype]
            assert change.abs().min() > 1e-4


def test_operation_without_a_rule_is_named() -> None:
    with pytest.raises(hp.EscapedOp, match=r"no rule for norm in module 'stages.0.blocks.0.mlp.grn'"):
        hp.deeplift(load_model("timm:convnextv2_atto").model, torch.randn(1, 3, 64, 64))
