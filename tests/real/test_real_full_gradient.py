"""Full gradients of the networks that people use: complete, and the official map (issue 3)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import heatproof as hp
from reference import fullgrad as reference

torchvision = pytest.importorskip("torchvision", reason="needs heatproof[vision]")

SIZES = {
    "vgg16_bn": 64, "resnet18": 64, "mobilenet_v2": 64, "squeezenet1_0": 64, "inception_v3": 96, "densenet121": 64,
    "efficientnet_b0": 64, "convnext_tiny": 64, "swin_t": 64, "vit_b_16": 64,
}  # fmt: skip


def perturbed(name: str, dtype: torch.dtype) -> nn.Module:
    """Random weights, with biases, scales and batch-norm statistics away from 0 and 1."""
    options: dict[str, Any] = {"image_size": 64} if name == "vit_b_16" else {}
    options |= {"init_weights": False} if name == "inception_v3" else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torchvision.models.get_model(name, weights=None, **options).eval()
        for key, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if key.endswith(("running_mean", "bias")):
                tensor.data.normal_(0, 0.2)
            elif key.endswith("running_var") or (tensor.dim() == 1 and key.endswith("weight")):
                tensor.data.uniform_(0.5, 1.5)
            elif tensor.is_floating_point() and not tensor.any():
                tensor.data.normal_(0, 0.1)  # the head of torchvision's ViT starts at zero
    return model.to(dtype)


def photos(size: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
@pytest.mark.parametrize("name", SIZES)
def test_complete(name: str, dtype: torch.dtype, bound: float) -> None:
    model, x, target = perturbed(name, dtype), photos(SIZES[name], dtype), torch.tensor([3, 7])
    d = hp.full_gradient(model, x, target)
    with torch.no_grad():
        logits = model(x).gather(1, target[:, None])[:, 0].double()
    total = d.input_term.double().flatten(1).sum(1) + sum(t.value.double().reshape(2, -1).sum(1) for t in d.terms)
    assert ((total - logits).abs() <= bound * logits.abs()).all()
    assert (d.residual.abs() <= bound * logits.abs()).all()
    expected = {m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.BatchNorm2d, nn.Linear))}
    named = {model.get_submodule(t.name) for t in d.terms if not t.name.startswith("op:")}
    with_bias = {m for m in expected if isinstance(m, nn.BatchNorm2d) or m.bias is not None}
    skipped = {m for n, m in model.named_modules() if "AuxLogits" in n}  # not run in evaluation mode
    attention = [m for m in model.modules() if "Attention" in type(m).__name__]  # they call F.linear for their children
    run_by_parent = {part for m in attention for part in m.modules()}
    assert with_bias - skipped - run_by_parent <= named, "a layer with a bias has a term of its own"
    assert set(attention) <= named


@pytest.mark.parametrize("name", SIZES)
def test_shares_by_probes(name: str) -> None:
    """Every convolution, linear and batch-norm module: its term is gradient x bias, read at a zero added to its output."""
    model, x, target = perturbed(name, torch.float64), photos(SIZES[name], torch.float64)[:1], torch.tensor([3])
    _, input_term, shares = reference.probed(model, x, target)
    d = hp.full_gradient(model, x, target)
    terms = {t.name: t for t in d.terms if t.op in ("conv2d", "linear", "batch_norm")}
    assert len(shares) >= 20
    for module, value in shares:
        assert (terms[module].value.reshape(value.shape) - value).norm() <= 1e-10 * value.norm(), module
    torch.testing.assert_close(d.input_term, input_term, rtol=1e-8, atol=1e-12 * float(input_term.abs().max()))


@pytest.mark.parametrize("name", ["vgg16_bn", "resnet18"])
def test_the_official_map(name: str) -> None:
    model, x, target = perturbed(name, torch.float64), photos(64, torch.float64), torch.tensor([3, 7])
    _, _, shares = reference.probed(model, x, target)
    d = hp.full_gradient(model, x, target)
    assert [t.name for t in d.terms] == [n for n, _ in shares], "no other terms than these"
    want = reference.official(model, x, target)
    ours = hp.fullgrad(model, x, target, official=True)
    assert (ours - want).abs().max() <= 1e-10 * want.abs().max()
