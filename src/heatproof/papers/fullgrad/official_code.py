"""Where the authors' code errs: its check of completeness, and its pairs of bias and gradient."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number
from .official import LAYERS, bias_of, by_layers

TOLERANCE = 1e-4
"""Of the check in the official constructor."""
BLOCKS = 50


def code(lab: Lab) -> Measured:
    """What the official code does where it is wrong: its check of completeness, and its pairs of bias and gradient."""
    errors = torch.cat([luck(seed, lab.pick(20_000, 200_000)) for seed in range(5)])
    wrong, right = (torch.stack([missed(seed, by) for seed in range(BLOCKS)]) for by in (by_hooks, by_pairs))
    return Measured(
        {
            "check/chance": over((errors < TOLERANCE).double()),
            "check/inputs": Number(float(len(errors))),
            "check/median": Number(float(errors.median())),
            "hooks/median": Number(float(wrong.median())),
            "hooks/refused": Number(float((wrong > TOLERANCE).sum())),
            "pairs/most": Number(float(right.max())),
        }
    )


def luck(seed: int, inputs: int) -> Tensor:
    """|f - sum| / max(|f|, |sum|) of a network with GELU over inputs N(0, 1), by biases of layers alone. ``(inputs,)``"""
    noise = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.GELU(), nn.Flatten(), nn.Linear(32, 2)).double().eval()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=noise) * 0.4)
    x = torch.randn(inputs, 1, 4, 4, generator=noise, dtype=torch.float64)
    with torch.no_grad():
        f: Tensor = net(x).amax(1)
    return relative(f, by_pairs(net, x))


def relative(f: Tensor, total: Tensor) -> Tensor:
    """As the official check compares: by the larger of both, which is `math.isclose`."""
    return (f - total).abs() / torch.maximum(f.abs(), total.abs())


def missed(seed: int, by: Callable[[nn.Module, Tensor], Tensor]) -> Tensor:
    """How far a sum of shares is from the output of a residual block, for one image."""
    block, noise = Block(seed), torch.Generator().manual_seed(1000 + seed)
    x = torch.randn(1, 2, 8, 8, generator=noise, dtype=torch.float64)
    with torch.no_grad():
        f: Tensor = block(x).amax(1)
    return relative(f, by(block, x))


class Block(nn.Module):
    """A residual block whose shortcut is registered before the main path, and runs after it."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.shortcut = nn.Conv2d(4, 4, 1)
        self.main = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)
        noise = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for p in self.parameters():
                p.copy_(torch.randn(p.shape, generator=noise) * 0.5)
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        x = self.main(x).relu() + self.shortcut(x)
        out: Tensor = self.head(x.relu().mean((2, 3)))
        return out


def by_hooks(net: nn.Module, x: Tensor) -> Tensor:
    """f by the official pairing: biases as modules were registered, gradients as the backward came, reversed. ``(B,)``"""
    slopes: list[Tensor] = []

    def hook(layer: nn.Module, args: object, out: Tensor) -> None:
        out.register_hook(slopes.append)  # type: ignore[no-untyped-call]

    layers = [m for m in net.modules() if isinstance(m, LAYERS) and m.bias is not None]
    handles = [m.register_forward_hook(hook) for m in layers]
    leaf = x.clone().requires_grad_()
    try:
        grad = torch.autograd.grad(net(leaf).amax(1).sum(), leaf)[0]
    finally:
        for handle in handles:
            handle.remove()
    return (grad * x).flatten(1).sum(1) + _shares(list(zip(layers, reversed(slopes), strict=True)))


def by_pairs(net: nn.Module, x: Tensor) -> Tensor:
    """f by the same layers, each bias with its own gradient. ``(B,)``"""
    grad, layers = by_layers(net, x)
    return (grad * x).flatten(1).sum(1) + _shares(layers)


def _shares(layers: list[tuple[nn.Module, Tensor]]) -> Tensor:
    """The sum of bias times gradient over layers, by image."""
    parts = [slope.flatten(2).sum(2) if slope.dim() == 4 else slope for _, slope in layers]
    return torch.stack([(part * bias_of(layer)).sum(1) for (layer, _), part in zip(layers, parts, strict=True)]).sum(0)
