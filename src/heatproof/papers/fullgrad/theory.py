"""The paper's examples, on networks of one unit (sections 3 and 4.1)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...full_gradient import full_gradient
from ...theory.hidden_unit import hidden_unit
from ...theory.two_pieces import two_pieces, two_pieces_attribution
from ..lab import Lab
from ..types import Measured, Number

LOCAL = {"gradient": "gradient", "guided backprop": "guided_backprop", "deconvnet": "deconvnet"}
"""Methods that the paper calls weakly dependent on the input; their texts."""
POINTS = (4.0, 2.0, 1.5)
UNIT = {"w0": 2.0, "b0": 1.0, "w1": 3.0, "b1": -1.0}
STEP = 0.5


class TwoPieces(nn.Module):
    """`two_pieces` as a network: logit 0, beside one that is 0."""

    def forward(self, x: Tensor) -> Tensor:
        value = two_pieces(x)
        return torch.stack([value, torch.zeros_like(value)], 1)


def hidden(w0: float, b0: float, w1: float, b1: float) -> nn.Sequential:
    """The network of example 2 on images of one pixel, as logit 0; logit 1 is 0."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 2)).double().eval()
    with torch.no_grad():
        for p, value in zip(net.parameters(), (w0, b0, w1, b1), strict=True):
            p.zero_()
            p[0] = value
    return net


def pixel(x: float) -> Tensor:
    return torch.full((1, 1, 1, 1), x, dtype=torch.float64)


def of_hidden(x: float, unit: Mapping[str, float]) -> Tensor:
    """Output, input-gradient and bias-gradients (b0, b1) by `full_gradient`; a share that is absent is zero. ``(4,)``"""
    d = full_gradient(hidden(**unit), pixel(x), torch.tensor([0]))
    shares = {t.name: float(t.value.sum()) for t in d.terms}
    gradient = float(input_gradient(hidden(**unit), pixel(x)))
    return torch.tensor([float(d.output), gradient, shares.get("1", 0.0), shares.get("3", 0.0)], dtype=torch.float64)


def input_gradient(net: nn.Module, x: Tensor) -> Tensor:
    """The gradient of logit 0, by autograd alone."""
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(net(leaf)[:, 0].sum(), leaf)[0]


def examples(lab: Lab) -> Measured:
    """Examples 1 and 2, saturation, and the claim on zero derivatives."""
    return Measured({**_example_1(lab), **_saturation(lab), **_example_2(lab), **_zero_derivatives()})


def _example_1(lab: Lab) -> dict[str, Number]:
    ig, net = lab.method("integrated_gradients(steps=12)"), TwoPieces().eval()
    x = torch.tensor([[t, t] for t in POINTS], dtype=torch.float64)
    found = ig(net, x, torch.zeros(len(POINTS), dtype=torch.int64))
    numbers = {f"ig/{t:g}/{i + 1}": Number(float(found[n, i])) for n, t in enumerate(POINTS) for i in range(2)}
    expected = torch.tensor([two_pieces_attribution(t) for t in POINTS], dtype=torch.float64)
    gradients = lab.method("gradient")(net, x, torch.zeros(len(POINTS), dtype=torch.int64))
    return numbers | {
        "ig/error": Number(float((found - expected).abs().max())),
        "ig/gradients": Number(float((gradients - gradients[:1]).abs().max())),
    }


def _saturation(lab: Lab) -> dict[str, Number]:
    """f(x) = a - ReLU(b - x) with a = b = 1: output, input attribution, shares of a and b."""
    unit = {"w0": -1.0, "b0": 1.0, "w1": -1.0, "b1": 1.0}
    given = lab.method("gradient_x_input")(hidden(**unit), pixel(2.0), torch.tensor([0]))
    numbers = {"saturation/input": Number(float(given))}
    worst = 0.0
    for x in (2.0, 0.5, 0.0):
        output, _, b, a = of_hidden(x, unit).tolist()
        closed = hidden_unit(x, **unit)
        worst = max(worst, abs(output - closed.output), abs(b - closed.share_b0), abs(a - closed.share_b1))
        numbers |= {f"saturation/{x:g}/{k}": Number(v) for k, v in (("f", output), ("a", a), ("b", b))}
    return numbers | {"saturation/error": Number(worst)}


def _example_2(lab: Lab) -> dict[str, Number]:
    """Change of maps, and of the full gradient, as b1 grows by 100 and b0 by a half."""
    numbers = {}
    for changed, unit in (("b1", UNIT | {"b1": 99.0}), ("b0", UNIT | {"b0": 1.5})):
        for name, text in LOCAL.items():
            maps = [lab.method(text)(hidden(**u), pixel(1.0), torch.tensor([0])) for u in (UNIT, unit)]
            numbers[f"{changed}/{name}"] = Number(float((maps[1] - maps[0]).abs().max()))
        before, after = of_hidden(1.0, UNIT), of_hidden(1.0, unit)
        numbers[f"{changed}/output"] = Number(float((after - before)[0]))
        numbers[f"{changed}/full gradient"] = Number(float((after - before)[1:].abs().sum()))
    return numbers


def _zero_derivatives() -> dict[str, Number]:
    """df/dw0 and the largest |dG/dw0| of example 2 at x = 0, where f = w1 b0 + b1 and the slope is w1 w0."""
    up, down = (of_hidden(0.0, UNIT | {"w0": UNIT["w0"] + h}) for h in (STEP, -STEP))
    slope = (up - down) / (2 * STEP)
    return {"iff/f": Number(float(slope[0])), "iff/G": Number(float(slope[1:].abs().max()))}
