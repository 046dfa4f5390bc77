"""Single maps beside captum, which gets chunks as large as ours."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import heatproof as hp

from .networks import images, network, targets
from .row import Pair, Row, close

BATCH, STEPS = 8, 50
Explain = Callable[[nn.Module, Tensor, Tensor], Tensor]


def _captum(method: str, model: nn.Module) -> Callable[[Tensor, Tensor], Any]:
    from captum import attr

    if method == "gradient":
        return lambda x, t: attr.Saliency(model).attribute(x, t, abs=False)
    if method == "guided_backprop":
        return lambda x, t: attr.GuidedBackprop(model).attribute(x, t)
    if method == "integrated_gradients":
        explainer = attr.IntegratedGradients(model)
        return lambda x, t: explainer.attribute(
            x, target=t, n_steps=STEPS, method="riemann_middle", internal_batch_size=BATCH
        )
    if method == "smoothgrad":
        tunnel = attr.NoiseTunnel(attr.Saliency(model))
        return lambda x, t: tunnel.attribute(
            x, nt_type="smoothgrad", nt_samples=STEPS, nt_samples_batch_size=1, stdevs=0.15, target=t, abs=False
        )
    if method == "deeplift":
        return lambda x, t: attr.DeepLift(model).attribute(x, target=t)
    return lambda x, t: attr.LRP(model).attribute(x, target=t)


OURS: dict[str, Explain] = {
    "gradient": hp.gradient,
    "guided_backprop": hp.guided_backprop,
    "integrated_gradients": lambda m, x, t: hp.integrated_gradients(m, x, t, steps=STEPS),
    "smoothgrad": lambda m, x, t: hp.smoothgrad(m, x, t, n=STEPS),
    "deeplift": hp.deeplift,
    "lrp": hp.lrp,
}
EXACT = ("gradient", "guided_backprop", "integrated_gradients")
"""Methods without noise of their own, and with one definition in both libraries; of others the shapes are compared."""


def _pair(method: str, name: str) -> Pair:
    model, x, t = network(name), images(BATCH), targets(BATCH)
    theirs = _captum(method, copy.deepcopy(model))  # it hooks the model

    def check(a: Tensor, b: Tensor) -> str:
        if method in EXACT:
            return close(a, b.detach(), 1e-2 if method == "integrated_gradients" else 1e-3)
        assert a.shape == b.shape
        return "same shape"

    return Pair(lambda: OURS[method](model, x, t), lambda: theirs(x.clone(), t), check)


def _gradient_only(ours: Explain, name: str, batch: int = BATCH) -> Pair:
    """A method beside one plain backward pass."""
    model, x, t = network(name), images(batch), targets(batch)

    def theirs() -> Tensor:
        leaf = x.clone().requires_grad_()
        return torch.autograd.grad(model(leaf).gather(1, t[:, None]).sum(), leaf)[0]

    def check(a: Tensor, b: Tensor) -> str:
        assert a.shape[-2:] == b.shape[-2:]
        assert bool(a.isfinite().all())
        return "finite"

    return Pair(lambda: ours(model, x, t), theirs, check)


def _cgi(name: str) -> Pair:
    """All 1000 classes of one photo beside a warm loop of 1000 backward passes."""
    model, x = network(name), images(1)
    t = model(x).argmax(1)

    def theirs() -> Tensor:
        leaf = x.clone().requires_grad_()
        out = model(leaf)
        maps = torch.stack([torch.autograd.grad(out[0, c], leaf, retain_graph=True)[0][0] for c in range(1000)]) * x
        own = maps[t]
        kept = torch.where(own > 0, own >= maps.amax(0), own <= maps.amin(0))
        return torch.where(kept, own, 0.0)

    def check(a: Tensor, b: Tensor) -> str:
        differ = float(((a != 0) != (b != 0)).float().mean())
        assert differ < 1e-3, f"{differ:.1%} of the pixels are kept on one side alone"
        return f"{differ:.0e} of the pixels differ"

    return Pair(lambda: hp.cgi(model, x, t), theirs, check)


NETS = ("resnet18", "vgg16")
CAPTUM = "captum, chunks of 8"
ROWS = (
    *(
        Row(f"map/{name}/{method}", f"{method}, {name}, batch {BATCH}", CAPTUM, 1.0,
            lambda method=method, name=name: _pair(method, name), memory=1.1,  # type: ignore[misc]
            long=method in ("integrated_gradients", "smoothgrad"))
        for name in NETS for method in OURS
        if not (name == "resnet18" and method in ("deeplift", "lrp"))  # captum refuses: reused ReLU, residual adds
    ),
    Row("rectgrad/resnet18", "RectGrad, resnet18, batch 8", "a plain gradient", 1.5,
        lambda: _gradient_only(hp.rectgrad, "resnet18")),
    Row("rectgrad/vgg16", "RectGrad, vgg16, batch 8", "a plain gradient", 1.7,
        lambda: _gradient_only(hp.rectgrad, "vgg16")),
    Row("fullgrad/resnet18/gradient", "FullGrad, resnet18, batch 8", "a plain gradient", 1.5,
        lambda: _gradient_only(hp.fullgrad, "resnet18")),
    Row("fullgrad/vgg16_bn/gradient", "FullGrad, vgg16_bn, batch 8", "a plain gradient", 1.5,
        lambda: _gradient_only(hp.fullgrad, "vgg16_bn")),
    Row("cgi/resnet18", "CGI, 1000 classes, resnet18", "a warm loop of 1000 backward passes", 0.6,
        lambda: _cgi("resnet18"), long=True),
    Row("cgi/vit_tiny", "CGI, 1000 classes, ViT-tiny", "a warm loop of 1000 backward passes", 0.2,
        lambda: _cgi("timm:vit_tiny_patch16_224"), long=True),
    Row("cgi/mobilenet_v2", "CGI, 1000 classes, MobileNetV2", "a warm loop of 1000 backward passes", 1.0,
        lambda: _cgi("mobilenet_v2"), long=True),
)  # fmt: skip
