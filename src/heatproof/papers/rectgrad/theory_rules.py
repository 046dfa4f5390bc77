"""Propagation rules PR1 to PR4 on the paper's affine example, and limits of thresholding by a percentile."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...errors import NotApplicable
from ...theory.rectgrad import influence
from ..lab import Lab
from ..types import Measured, Number

RULES = ("pr1", "pr2", "pr3", "pr4")
WEIGHTS, UNITS = (1.0, 10.0, -100.0, 1000.0), (3.0, 2.0, 1.0, 0.0)
"""f = a1 + 10 a2 - 100 a3 + 1000 a4 at a = (3, 2, 1, 0): appendix B.2."""
SIZES = (10, 25, 26, 100, 256, 1024, 32768)
SCALES = (1.0, 1e-6, 1e-10)
SIGNED = (1.0, -0.999, 0.5, -0.5)


def affine(lab: Lab) -> Measured:
    """Which unit each rule picks at q = 74 (the only one whose gradient arrives), and what is worth picking."""
    numbers = {}
    for percentile in ("linear", "nearest"):
        for rule in RULES:
            explain = lab.method(f"rectgrad(q=74, rule={rule!r}, percentile={percentile!r}, final_threshold=False)")
            numbers[f"{rule}/{percentile}"] = _picked(explain(_affine(), torch.ones(1, 4).double(), torch.tensor([0])))
    for unit, (a, r) in enumerate(zip(UNITS, WEIGHTS, strict=True), start=1):
        numbers[f"contribution/{unit}"] = Number(a * r)
    return Measured(numbers)


def two_layers(lab: Lab) -> Measured:
    """The example of appendix B.3: the unit that RectGrad and RectGradMod pick behind a unit that was picked already."""
    net, x, target = _two_layers(), torch.ones(1, 4).double(), torch.tensor([0])
    numbers = {}
    for rule in ("pr1", "mod"):
        explain = lab.method(f"rectgrad(q=74, rule={rule!r}, final_threshold=False)")
        numbers[rule] = _picked(explain(net, x, target))
    layers = [(m.weight.detach(), m.bias.detach()) for m in net.modules() if isinstance(m, nn.Linear)]
    falls = influence(layers, torch.tensor([UNITS]).double(), 0, target)[0]
    numbers |= {f"fall/{unit}": Number(float(fall)) for unit, fall in enumerate(falls, start=1)}
    return Measured(numbers)


def limits(lab: Lab) -> Measured:
    """How many units pass at q = 98, by the size of the layer; layers where none does; what PRR keeps of the gradient."""
    numbers = {}
    for percentile in ("linear", "nearest"):
        explain = lab.method(f"rectgrad(q=98, percentile={percentile!r})")
        for size in SIZES:
            noise = torch.Generator().manual_seed(size)
            x, row = torch.rand(2, 1, size, generator=noise, dtype=torch.float64) + 0.1
            numbers[f"pass/{percentile}/{size}"] = _alive(explain(_scored(row), x, torch.tensor([0])))
        half = torch.arange(100).remainder(2).double()[None]  # every other unit is silent
        for name, x, weight in (("no unit speaks for the class", half, -1.0), ("all units alike", half * 0 + 1, 1.0)):
            row = torch.full((1, 100), weight)
            numbers[f"pass/{percentile}/{name}"] = _alive(explain(_scored(row), x, torch.tensor([0])))
    return Measured(numbers | _redistribution(lab))


def _redistribution(lab: Lab) -> dict[str, Number]:
    """Sum of the gradient that PRR shares out over a window, in parts of what arrives; and with signs in the window."""
    explain = lab.method("rectgrad(tau=-1e9, prr=True, final_threshold=False)")
    numbers = {}
    for scale in SCALES:
        x = torch.tensor([4.0, 3.0, 2.0, 1.0], dtype=torch.float64).reshape(1, 1, 2, 2) * scale
        gradient = explain(_pooled(nn.ReLU()), x, torch.tensor([0])) / x
        numbers[f"kept/{scale:g}"] = Number(float(gradient.sum()))
        numbers[f"spread/{scale:g}"] = Number(float((gradient.flatten() * 10 * scale / x.flatten() - 1).abs().max()))
    window = torch.tensor(SIGNED, dtype=torch.float64)
    shares = window / (window.mean() + 1e-10) / 4  # listing 3 for a gradient of 1
    numbers["largest share"] = Number(float(shares.abs().max()))
    numbers["refused"] = Number(float(_refused(lab, window)))
    return numbers


def _refused(lab: Lab, window: Tensor) -> bool:
    explain = lab.method("rectgrad(tau=-1e9, prr=True)")
    net = nn.Sequential(nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), _logit(torch.ones(1, 1))).eval()
    try:
        explain(net, window.reshape(1, 1, 2, 2), torch.tensor([0]))
    except NotApplicable:
        return True
    return False


def _picked(maps: Tensor) -> Number:
    """The number of the one unit whose value is not zero; NaN where there is another count of them."""
    found = maps.flatten().nonzero().flatten()
    return Number(float(found[0]) + 1 if len(found) == 1 else float("nan"))


def _alive(maps: Tensor) -> Number:
    return Number(float((maps != 0).sum()))


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0]).double()
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer


def _logit(row: Tensor) -> nn.Linear:
    """The logit that is explained, and one beside it that is always 0."""
    return _linear(torch.cat([row, torch.zeros_like(row)]), torch.zeros(2))


def _first() -> nn.Linear:
    """From an image of ones to the units of the example, so that a map of x R shows R itself, of dead units too."""
    return _linear(torch.eye(4), torch.tensor(UNITS) - 1)


def _affine() -> nn.Sequential:
    return nn.Sequential(_first(), nn.ReLU(), _logit(torch.tensor([WEIGHTS]))).eval()


def _two_layers() -> nn.Sequential:
    """The affine example, positive by its bias, beside a unit that is silent; the logit counts it twice."""
    middle = _linear(torch.stack([torch.tensor(WEIGHTS), torch.zeros(4)]), torch.tensor([100.0, 0.0]))
    return nn.Sequential(_first(), nn.ReLU(), middle, nn.ReLU(), _logit(torch.tensor([[2.0, 1.0]]))).eval()


def _scored(row: Tensor) -> nn.Sequential:
    """Units that are the input itself, and one logit."""
    return nn.Sequential(nn.ReLU(), _logit(row)).eval()


def _pooled(first: nn.Module) -> nn.Sequential:
    """One window of max pooling; its gradient is 1."""
    return nn.Sequential(first, nn.MaxPool2d(2), nn.Flatten(), _logit(torch.ones(1, 1))).eval()
