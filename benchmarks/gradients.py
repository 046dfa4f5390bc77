"""Methods beside one plain backward pass, the least that any of them needs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import heatproof as hp

from .networks import images, network, targets
from .row import Pair, Row, a_map, close, require

BATCH = 8


def _pair(ours: Callable[[nn.Module, Tensor, Tensor], Tensor], name: str) -> Pair:
    model, x, t = network(name), images(BATCH), targets(BATCH)

    def theirs() -> Tensor:
        leaf = x.clone().requires_grad_()
        return torch.autograd.grad(model(leaf).gather(1, t[:, None]).sum(), leaf)[0]

    def check(a: Tensor, b: Tensor) -> str:
        require(a.shape[-2:] == b.shape[-2:], "sizes")
        a_map(a)
        return f"plain gradient {close(hp.gradient(model, x, t), b)}"

    return Pair(lambda: ours(model, x, t), theirs, check)


def _row(method: str, name: str, target: float) -> Row:
    ours = getattr(hp, method)
    what = f"{method}, {name}, batch {BATCH}"
    return Row(f"{method}/{name}/gradient", what, "a plain gradient", lambda: _pair(ours, name), target, None, 0.5)


ROWS = (
    _row("fullgrad", "vgg16_bn", 1.5),
    _row("fullgrad", "resnet18", 1.5),
    _row("rectgrad", "resnet18", 1.5),
    _row("rectgrad", "vgg16", 1.7),
)
