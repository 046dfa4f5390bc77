"""The model of correlated random vectors (section 3.1, figures 11 and 12): what competition leaves of the logit."""

from __future__ import annotations

from math import inf, sqrt

import torch
from torch import Tensor, nn

from ...theory.correlated import Draw, correlated_draw
from ...theory.nulls import correlated_share
from ...types import Explain
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number

PIXELS, SAMPLES, RHO = 10_000, 400, 0.5
DELTAS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
PARTS = ("h1", "h2", "c1", "c2")


def correlated_model(lab: Lab) -> Measured:
    """Parts of delta before ("h1", "h2") and after competition ("c1", "c2"), for every delta."""
    cgi, numbers, deviations = lab.method("cgi"), {}, []
    for place, delta in enumerate(DELTAS):
        noise = torch.Generator().manual_seed(place)
        parts = torch.stack([_parts(cgi, correlated_draw(PIXELS, delta, RHO, noise)) for _ in range(SAMPLES)])
        expected = _expected(delta)
        deviations.append(parts / delta - expected)
        for name, values, theory in zip(PARTS, (parts / delta).T, expected.tolist(), strict=True):
            numbers[f"{name}/{delta}"] = over(values)
            numbers[f"expected/{name}/{delta}"] = Number(theory)
    for name, values in zip(PARTS, torch.cat(deviations).T, strict=True):
        numbers[f"excess/{name}"] = over(values)
    return Measured(numbers)


def _parts(cgi: Explain, draw: Draw) -> Tensor:
    """(h_1, 0) . x, (h_2, 0) . x, and twice what the competition keeps of g_1 . x in the shared and in the other half."""
    linear = nn.Linear(PIXELS, 2, bias=False, dtype=torch.float64)
    with torch.no_grad():
        linear.weight.copy_(torch.stack([draw.chosen, draw.other]))
    left = cgi(linear.eval(), draw.x[None], torch.tensor([0]))[0]
    half = PIXELS // 2
    shared = [(g[:half] * draw.x[:half]).sum() for g in (draw.chosen, draw.other)]
    return torch.stack([*shared, 2 * left[:half].sum(), 2 * left[half:].sum()])


def _expected(delta: float) -> Tensor:
    """The closed forms over delta: delta / 2, rho delta / 2, c(rho) and c(0), each times h(t) / t for finite n."""
    t = delta * sqrt(PIXELS)
    finite = correlated_share(0.0, t) / correlated_share(0.0, inf)
    return torch.tensor(
        [finite / 2, RHO * finite / 2, correlated_share(RHO, t), correlated_share(0.0, t)], dtype=torch.float64
    )
