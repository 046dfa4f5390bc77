"""RectGrad against the paper's listings written out pixel by pixel; Claims 1 and 2, the padding trick and PRR, exactly."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...train import seeded
from ...types import Explain
from ..lab import Lab
from ..types import Measured, Number

Array = np.ndarray[Any, Any]

SETTINGS: dict[str, dict[str, Any]] = {
    "q=0": {"q": 0},
    "q=20": {"q": 20},
    "q=50": {"q": 50},
    "q=90": {"q": 90},
    "q=98": {"q": 98},
    "q=90, nearest": {"q": 90, "percentile": "nearest"},
    "PR2": {"q": 80, "rule": "pr2"},
    "PR3": {"q": 80, "rule": "pr3"},
    "PR4": {"q": 80, "rule": "pr4"},
    "RectGradMod": {"q": 80, "rule": "mod"},
    "no final threshold": {"q": 80, "final_threshold": False},
    "padding trick": {"q": 80, "padding_trick": True, "final_threshold": False},
    "PRR": {"q": 80, "prr": True, "final_threshold": False},
    "all": {"q": 90, "padding_trick": True, "prr": True, "percentile": "nearest", "final_threshold": False},
}
NETWORKS, IMAGES = 4, 3
EPSILON = 1e-6


class Net(nn.Module):
    """Two convolutions with zero padding, max pooling, two linear layers; every ReLU is one of the paper's."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 6, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(6 * 16, 40), nn.Linear(40, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.max_pool2d(self.conv2(self.conv1(x).relu()).relu(), 2)
        out: Tensor = self.fc2(self.fc1(x.flatten(1)).relu())
        return out


def definition(lab: Lab) -> Measured:
    """Largest difference to the listings, in parts of the largest value, over random networks in float64."""
    numbers = {}
    for name, options in SETTINGS.items():
        text = ", ".join(f"{key}={value!r}" for key, value in options.items())
        numbers[name] = _worst(lab.method(f"rectgrad({text})"), partial(slow, **options))
    return Measured(numbers)


def equivalences(lab: Lab) -> Measured:
    """Claims 1 and 2: what other methods' maps times the input, at zero and above, are beside RectGrad's."""
    deconv, guided = lab.method("deconvnet"), lab.method("guided_backprop")
    numbers = {
        "claim 1": _worst(_times_input(deconv), lambda net, x, t: slow(net, x, t, tau=0.0, rule="eps")),
        "claim 2": _worst(lab.method("rectgrad(tau=0.0)"), _times_input(guided)),
        "claim 2, padding trick": _worst(lab.method("rectgrad(tau=0.0, padding_trick=True)"), _times_input(guided)),
        "claim 1, other": _worst(_times_input(deconv), _times_input(guided)),
    }
    return Measured(numbers)


def cases() -> list[tuple[Net, Tensor, Tensor]]:
    """Random networks in float64 with images and their predicted classes."""
    found = []
    for seed in range(NETWORKS):
        net = seeded(Net, seed).double().eval()
        x = torch.randn(IMAGES, 3, 8, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        with torch.no_grad():
            found.append((net, x, net(x).argmax(1)))
    return found


def _worst(one: Callable[[Any, Tensor, Tensor], Tensor], other: Callable[[Any, Tensor, Tensor], Tensor]) -> Number:
    """NaN where the second one gives nothing to compare with."""
    worst, largest = 0.0, 0.0
    for net, x, target in cases():
        expected = other(net, x, target).detach()
        worst = max(worst, float((one(net, x, target).detach() - expected).abs().max()))
        largest = max(largest, float(expected.abs().max()))
    return Number(worst / largest if largest else float("nan"))


def _times_input(explain: Explain) -> Callable[[Any, Tensor, Tensor], Tensor]:
    return lambda net, x, target: (explain(net, x, target) * x).relu()


def slow(net: Net, x: Tensor, target: Tensor, final_threshold: bool = True, **options: Any) -> Tensor:
    """Listings 1 to 3 with loops over pixels, in NumPy, one image at a time. ``(B, 3, H, W)`` same."""
    maps = np.stack([_one(net, row.numpy(), int(label), **options) for row, label in zip(x, target, strict=True)])
    return torch.from_numpy(np.where(maps > 0, maps, 0.0) if final_threshold else maps)


def _one(
    net: Net, x: Array, label: int, q: float = 98, tau: float | None = None, rule: str = "pr1",
    percentile: str = "linear", padding_trick: bool = False, prr: bool = False,
) -> Array:  # fmt: skip
    w = {name: value.detach().numpy() for name, value in net.named_parameters()}
    a1 = np.maximum(_convolved(x, w["conv1.weight"], w["conv1.bias"]), 0)
    a2 = np.maximum(_convolved(a1, w["conv2.weight"], w["conv2.bias"]), 0)
    cells = a2.reshape(6, 4, 2, 4, 2).transpose(0, 1, 3, 2, 4).reshape(6, 4, 4, 4)  # windows of 2 x 2
    a3 = np.maximum(w["fc1.weight"] @ cells.max(-1).ravel() + w["fc1.bias"], 0)
    deeper = "pr2" if rule == "mod" else rule
    r = _passed(a3, w["fc2.weight"][label], q, tau, "pr1" if rule == "mod" else rule, percentile)
    r = (r @ w["fc1.weight"]).reshape(6, 4, 4)
    r = _passed(a2, _unpooled(cells, r, prr), q, tau, deeper, percentile)
    r = _passed(a1, _pulled(r, w["conv2.weight"], padding_trick), q, tau, deeper, percentile)
    return x * _pulled(r, w["conv1.weight"], padding_trick)  # section 4.1: x R(1)


def _passed(a: Array, r: Array, q: float, tau: float | None, rule: str, percentile: str) -> Array:
    """Listing 1: the gradient where its unit's score is over the threshold."""
    products = {"pr1": a * r, "pr2": np.abs(a * r), "pr3": a, "pr4": r, "eps": (a + EPSILON) * r}
    scores = products[rule]
    found = _nearest(scores.ravel(), q) if percentile == "nearest" else float(np.percentile(scores, q))
    return np.where((found if tau is None else tau) < scores, r, 0.0)


def _nearest(scores: Array, q: float) -> float:
    """tf.contrib.distributions.percentile, by its default."""
    place = int(np.round((scores.size - 1) * (1 - q / 100)))
    return float(np.sort(scores)[::-1][place])


def _convolved(x: Array, weight: Array, bias: Array) -> Array:
    wide = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    out = np.empty((len(weight), *x.shape[1:]))
    for i, j in np.ndindex(*x.shape[1:]):
        out[:, i, j] = np.tensordot(weight, wide[:, i : i + 3, j : j + 3], 3) + bias
    return out


def _pulled(r: Array, weight: Array, trick: bool) -> Array:
    """Back through a convolution; the padding trick skips the border of its output (listing 2)."""
    high, wide = r.shape[1:]
    edge = int(trick)
    back = np.zeros((weight.shape[1], high + 2, wide + 2))
    for i in range(edge, high - edge):
        for j in range(edge, wide - edge):
            back[:, i : i + 3, j : j + 3] += np.tensordot(r[:, i, j], weight, 1)
    return back[:, 1:-1, 1:-1]


def _unpooled(cells: Array, r: Array, prr: bool) -> Array:
    """Back through max pooling: to the largest cell, or to all in proportion (listing 3)."""
    if prr:
        back = cells * (r / (cells.mean(-1) + 1e-10))[..., None] / 4
    else:
        back = np.where(np.arange(4) == cells.argmax(-1)[..., None], r[..., None], 0.0)
    back = back.reshape(6, 4, 4, 2, 2).transpose(0, 1, 3, 2, 4)
    return np.asarray(back.reshape(6, 8, 8))
