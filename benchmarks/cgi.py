"""Competition among all 1000 classes beside a warm loop of backward passes, one a class."""

from __future__ import annotations

import torch
from torch import Tensor

import heatproof as hp

from .networks import images, network
from .row import Pair, Row, require

CLASSES = 1000


def _pair(name: str) -> Pair:
    """As a user writes it who keeps no map that the next one makes needless: least and largest so far."""
    model, x = network(name), images(1)
    target = int(model(x).argmax())

    def theirs() -> Tensor:
        leaf = x.clone().requires_grad_()
        out = model(leaf)
        (own,) = torch.autograd.grad(out[0, target], leaf, retain_graph=True)
        low, high = own * x, own * x
        for c in range(out.shape[1]):
            share = torch.autograd.grad(out[0, c], leaf, retain_graph=True)[0].mul_(x)
            torch.minimum(low, share, out=low)
            torch.maximum(high, share, out=high)
        own = own * x
        return torch.where(torch.where(own > 0, own >= high, own <= low), own, 0.0)

    def check(a: Tensor, b: Tensor) -> str:
        differ = float(((a != 0) != (b != 0)).float().mean())
        require(differ < 1e-3, f"{differ:.1%} of the values are kept on one side alone")
        both = (a != 0) & (b != 0)
        require(torch.allclose(a[both], b[both], rtol=1e-2, atol=1e-3 * float(b.abs().max())), "kept values differ")
        return f"{differ:.0e} of the values kept on one side alone"

    return Pair(lambda: hp.cgi(model, x, torch.tensor([target], device=x.device)), theirs, check)


def _row(id: str, name: str, title: str, target: float, minutes: float) -> Row:
    what, against = f"CGI, {CLASSES} classes, {title}, one photo", f"a warm loop of {CLASSES} backward passes"
    return Row(f"cgi/{id}", what, against, lambda: _pair(name), target, None, minutes)


ROWS = (
    _row("resnet18", "resnet18", "ResNet-18", 0.6, 2.0),
    _row("vit_tiny", "timm:vit_tiny_patch16_224", "ViT-tiny", 0.2, 1.0),
    _row("mobilenet_v2", "mobilenet_v2", "MobileNetV2", 1.0, 2.0),
)
