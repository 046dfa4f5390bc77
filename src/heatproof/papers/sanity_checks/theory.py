"""The two models of section 5.3, linear and sum-pool convolution, beside their closed forms."""

from __future__ import annotations

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import NotApplicable
from ...methods.edge_map import edge_map
from ...models.nets.sum_pool import SumPoolConv
from ...similarity import spearman
from ...theory.linear import linear_map
from ...theory.sum_pool import sum_pool_gradient
from ...theory.sum_pool_maps import sum_pool_integrated, sum_pool_smoothgrad
from ...types import Explain
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number
from .theory_edges import edge_likeness, evenness

FIGURE = ("gradient", "smoothgrad", "integrated_gradients", "guided_backprop")
"""Of figure 7."""
SIZE = 112
"""Pixels of the photos of the sum-pool network."""
CORNER = 12
"""Side of the part of a photo that the slow gradient is computed on."""
MAPS = 64
"""Of linear models: with a class each, they are independent."""


def linear(lab: Lab) -> Measured:
    """Every method on linear models of normal weights, beside the closed form; each image has a class of its own."""
    noise = torch.Generator().manual_seed(21)
    x = torch.rand(MAPS, 1, 12, 12, generator=noise, dtype=torch.float64)
    w, other = (torch.randn(MAPS, 144, generator=noise, dtype=torch.float64) for _ in range(2))
    one, two, y = flat(w), flat(other), torch.arange(MAPS)
    texts = {n: n for n in ("gradient", "smoothgrad", "integrated_gradients", "gradient_x_input")}
    texts["vargrad"] = "vargrad(gradient)"
    found = {n: lab.method(text)(one, x, y) for n, text in texts.items()}
    gaps = {n: float((m - linear_map(n, w, x, y)).abs().max() / w.abs().max()) for n, m in found.items()}
    ig, half = found["integrated_gradients"], x * w.view(x.shape) / 2
    gaps["half"] = float((ig - half).abs().max() / half.abs().max())
    change = (w * x.flatten(1)).sum(1)  # of the logit, from the baseline 0
    gaps |= {n: float((m.flatten(1).sum(1) / change).mean()) for n, m in (("complete", ig), ("half/complete", half))}
    raised = {f"raises/{n}": float(raises(lab.method(n), one, x, y)) for n in ("guided_backprop", "gradcam")}
    noisy = white_noise(found["gradient"], lab.method("gradient")(two, x, y), ig, x)
    return Measured({**{n: Number(v) for n, v in {**gaps, **raised}.items()}, **noisy})


def white_noise(first: Tensor, second: Tensor, ig: Tensor, x: Tensor) -> dict[str, Number]:
    """Rank correlations of random gradients with another network's, along rows and with the image; and of IG."""
    alike = {"networks": spearman(first, second), "neighbours": spearman(first[..., :-1], first[..., 1:]),
             "input": spearman(first, x, absolute=True), "ig/input": spearman(ig, x, absolute=True),
             "ig/signed": spearman(ig, x)}  # fmt: skip
    return {f"spearman/{n}": over(v) for n, v in alike.items()}


def flat(weights: Tensor) -> nn.Sequential:
    """The linear model of these weights."""
    layer = nn.Linear(weights.shape[1], len(weights), bias=False).to(weights.dtype)
    with torch.no_grad():
        layer.weight.copy_(weights)
    return nn.Sequential(nn.Flatten(), layer).eval()


def raises(explain: Explain, model: nn.Module, x: Tensor, y: Tensor) -> bool:
    try:
        explain(model, x, y)
    except NotApplicable:
        return True
    return False


def riemann(lab: Lab) -> Measured:
    """Integrated gradients of (4, 4) on a function with an exact answer, by the rule of heatproof and of the code."""
    x, y = torch.tensor([[4.0, 4.0]], dtype=torch.float64), torch.tensor([0])
    texts = {"midpoint": "integrated_gradients(steps=48)", "pair": "integrated_gradients(rule='pair')"}
    maps = {n: lab.method(text)(Corner().eval(), x, y)[0] for n, text in texts.items()}
    return Measured({f"{n}/{i}": Number(float(m[i - 1])) for n, m in maps.items() for i in (1, 2)})


class Corner(nn.Module):
    """x1 + 3 x2 where both are at most 1, 3 x1 + x2 where both are above (example 1 of the FullGrad paper), and minus."""

    def forward(self, x: Tensor) -> Tensor:
        a, b = x[:, :1], x[:, 1:]
        low, high = (a <= 1) & (b <= 1), (a > 1) & (b > 1)
        value = torch.where(low, a + 3 * b, torch.where(high, 3 * a + b, 0 * a))
        return torch.cat([value, -value], 1)


def sum_pool(lab: Lab) -> Measured:
    """The network of section 5.3 on grey photos: methods beside closed forms, and their maps beside edges."""
    x, filters = grey_photos(lab, lab.pick(12, 20, 50)), lab.pick(12, 20, 50)
    noise = torch.Generator().manual_seed(22)
    weights = torch.randn(filters, 1, 3, 3, generator=noise, dtype=torch.float64)
    by_sum = weights.sum((1, 2, 3)).abs().argsort()[[0, filters // 2]]
    return Measured(all_filters(lab, weights, x), drawn(lab, weights[by_sum], x[:2]))


def all_filters(lab: Lab, weights: Tensor, x: Tensor) -> dict[str, Number]:
    """Of gaps the largest, of all else the mean over filters and photos."""
    parts = [one_filter(lab, weights[k : k + 1], x) for k in range(len(weights))]
    numbers = {n: Number(max(float(p[n].max()) for p in parts)) for n in parts[0] if n.startswith("gap/")}
    return numbers | {n: over(torch.stack([p[n] for p in parts])) for n in parts[0] if not n.startswith("gap/")}


def grey_photos(lab: Lab, count: int) -> Tensor:
    """Photos in [0, 1], grey, float64. ``(B, 1, 112, 112)``."""
    photos = lab.photos(count)
    pictures = torch.stack([torch.from_numpy(photos.picture(i).copy()) for i in range(count)]).double() / 255
    return F.interpolate(pictures.mean(3)[:, None], size=SIZE, mode="area")


def with_filter(weight: Tensor) -> nn.Module:
    """Two logits, as classifiers have: this filter's, and that of its negative."""
    network = SumPoolConv(2).double()
    with torch.no_grad():
        network.conv.weight.copy_(torch.cat([weight, -weight]))
    return network.eval()


def one_filter(lab: Lab, w: Tensor, x: Tensor) -> dict[str, Tensor]:
    """Of each photo: the gaps to closed forms, and how far its edges lie where the maps are not even."""
    network, y = with_filter(w), torch.zeros(len(x), dtype=torch.int64)
    texts = {**dict(zip(FIGURE, FIGURE, strict=True)), "smoothgrad": "smoothgrad(n=25)"}
    maps = {n: lab.method(text)(network, x, y) for n, text in texts.items()}
    closed, gradient = {n: closed_form(n, x, w, y) for n in FIGURE}, maps["gradient"]
    found = {f"gap/{n}": distance(maps[n], closed[n]) for n in FIGURE if n != "smoothgrad"}
    found["smoothgrad/closed"] = spearman(maps["smoothgrad"], closed["smoothgrad"])
    turned = w.flip(2, 3)  # what a correlation with w is a true convolution with
    found["gap/printed"] = distance(gradient, sum_pool_gradient(x, turned, y, "convolution"))
    found["gap/slow"] = distance(gradient[:1, :, :CORNER, :CORNER], slow_gradient(x[:1], w[0]))
    found["index"] = distance(gradient, sum_pool_gradient(x, w, y, "convolution"))
    found["flat"], found["gap/flat"] = evenness(gradient, x, w)
    found["black"], found["black/printed"] = on_black(lab.method("gradient"), network, w)
    return found | edge_likeness(maps, edge_map(network, x, y), x, w)


def on_black(gradient: Explain, network: nn.Module, w: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient amid black pixels as a share of the filter's sum, by autograd and by the printed ReLU'(0) = 1."""
    x, y = torch.zeros(1, 1, 7, 7, dtype=w.dtype), torch.tensor([0])
    maps = gradient(network, x, y), sum_pool_gradient(x, w, y, at_zero=1)
    first, second = (m[:, 0, 3, 3] / w.sum() for m in maps)
    return first, second


def closed_form(name: str, x: Tensor, weights: Tensor, y: Tensor) -> Tensor:
    if name == "smoothgrad":
        return sum_pool_smoothgrad(x, weights, y)
    return sum_pool_integrated(x, weights, y) if name == "integrated_gradients" else sum_pool_gradient(x, weights, y)


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Largest difference of each map as a share of the largest value; 1 where that is 0."""
    most = b.abs().flatten(1).amax(1)
    return (a - b).abs().flatten(1).amax(1) / most.where(most > 0, torch.ones_like(most))


def slow_gradient(x: Tensor, w: Tensor) -> Tensor:
    """The upper left corner by the printed sum, with the index of a correlation, pixel by pixel."""
    active = {(i, j): slow_active(x, w, i, j) for i, j in product(range(-1, CORNER + 1), repeat=2)}
    out = torch.zeros(1, 1, CORNER, CORNER, dtype=x.dtype)
    for i, j, k, m in product(range(CORNER), range(CORNER), (-1, 0, 1), (-1, 0, 1)):
        out[0, 0, i, j] += active[i - k, j - m] * w[0, k + 1, m + 1]  # dl/dx_ij = sum a_{i-k,j-l} w_kl
    return out


def slow_active(x: Tensor, w: Tensor, i: int, j: int) -> float:
    """Whether the filter's output at a place, inside the image, is above 0."""
    near = [(i + k, j + m, w[0, k + 1, m + 1]) for k, m in product((-1, 0, 1), repeat=2)]
    z = sum(float(x[0, 0, r, c] * v) for r, c, v in near if r >= 0 and c >= 0)
    return float(z > 0 and i >= 0 and j >= 0)


def drawn(lab: Lab, weights: Tensor, x: Tensor) -> dict[str, Tensor]:
    """Two photos under each filter, as in figure 7: one that nearly sums to 0, and one in the middle."""
    y, arrays = torch.zeros(len(x), dtype=torch.int64), {"photos": x.float(), "filters": weights.float()}
    for k, w in enumerate(weights):
        network = with_filter(w[None])
        arrays |= {f"{k}/{n}": lab.method(n)(network, x, y).float() for n in FIGURE}
        arrays |= {f"{k}/closed": closed_form("gradient", x, w[None], y).float()}
        arrays["edges"] = edge_map(network, x, y).float()
    return arrays
