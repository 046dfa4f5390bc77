"""Rectified Gradient (Kim et al. 2019, arXiv:1902.04893, section 3 and appendices B to D)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import threshold

from ..engine.model import check_inputs, own
from ..engine.passes import INPUT, Pass, batch_comes_first, forward
from ..errors import NotApplicable
from ..rules.padding import padding_trick as trick
from ..rules.rectgrad import Gate, RectGrad
from ..rules.threshold import Threshold
from ..score import logit
from ..types import Score, method


@method(source="arXiv:1902.04893, section 3", signed=False)
def rectgrad(
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    q: float = 98.0,
    tau: float | None = None,
    rule: str = "pr1",
    padding_trick: bool | int | str = False,
    prr: bool = False,
    percentile: str = "linear",
    final_threshold: bool = True,
) -> Tensor:
    """Input times a gradient that only the units with the largest contributions pass on. ``(B, ...) -> (B, ...)``.

    Source: Kim et al. 2019: R(l) = 1(a(l) R(l+1) > tau) R(l+1) at every ReLU, tau the q-th percentile over all units of
    the layer, for each sample by itself; map = x R at the input where positive. Deviations: none by default; the authors'
    code has percentile="nearest", padding_trick="code" and no final threshold. ReLU6 has the rule of ReLU. At tau = 0
    (no trick, no prr) the map is that of guided backprop times input, at 0 and above. A tau under 0 (small q) lets the
    gradient through dead units, as the definition says; where no unit of a layer is over tau, no gradient gets behind
    that layer (`rectgrad_layers` tells).

    Args:
        model, inputs, target, score: as in `gradient`.
        q: percentile, 0 to 100; strictly larger scores pass.
        tau: a fixed threshold for all layers instead of `q`.
        rule: what is compared to tau (appendix B.1): "pr1" a R; "pr2" its absolute value; "pr3" a; "pr4" R; "mod" pr1 at
            the last hidden layer and pr2 before it.
        padding_trick: set a border of the gradient to zero at the output of every convolution that pads and gives
            ceil(size / stride) pixels; True for 1 pixel, or a width; "code" takes convolutions of 1x1 too, as the
            authors' code does. Padding by an operation of its own is not seen.
        prr: share a max pooling's gradient out in proportion to its inputs, which must not be negative (appendix C.2).
        percentile: "linear" as NumPy, or "nearest" as TensorFlow (passes nothing in layers of under 26 units at q=98).
        final_threshold: set negative values of the map to zero.

    Returns:
        Score units, modified; not negative, or of both signs (positive = evidence for the class) with
        final_threshold=False.

    Raises:
        InputError: an option out of its range.
        NotApplicable: no ReLU; a ReLU without the batch first; with `prr`, max pooling of negative values; with
            `padding_trick`, a map too small for the border.
        EscapedOp: a nonlinearity without a rule (GELU, sigmoid, softmax, ...), or one that ran out of sight.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval()
        >>> net[1].weight.data[0] = torch.tensor([1.0, 10.0, -100.0, 1000.0])  # appendix B.2: unit 2 dominates
        >>> rectgrad(net, torch.tensor([[3.0, 2.0, 1.0, 0.0]]), torch.tensor([0]), q=74)
        tensor([[ 0., 20.,  0.,  0.]])
    """
    rules = RectGrad(Threshold(q, tau, percentile), rule, trick(padding_trick), prr)
    run, _ = _run(model, inputs, score, rules)
    maps = inputs.detach() * run.gradients(score, run.target(score, target), INPUT)[0]  # section 3: x * R(1)
    return threshold(maps, 0.0, 0.0) if final_threshold else maps


@dataclass(frozen=True)
class LayerRecord:
    """What RectGrad did at one ReLU.

    Attributes:
        name: path of the module; with ``op:index`` where that is not one call, or without a module.
        tau: the threshold, ``(B,)``.
        dead: whether no unit passed, ``(B,)`` bool.
        passed: share of the units that passed, ``(B,)``.
        map: mean over channels of a R, ``(B, 1, H, W)`` (figure 6); None where the output is not ``(B, C, H, W)``.
    """

    name: str
    tau: Tensor
    dead: Tensor
    passed: Tensor
    map: Tensor | None


def rectgrad_layers(
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    q: float = 98.0,
    tau: float | None = None,
    rule: str = "pr1",
    padding_trick: bool | int | str = False,
    prr: bool = False,
    percentile: str = "linear",
) -> list[LayerRecord]:
    """What `rectgrad` does at each ReLU, first call first. ``(B, ...) ->`` a list of records, maps ``(B, 1, H, W)``.

    Source: Kim et al. 2019, figure 6: mean over channels of a R, with R the gradient that arrives at the ReLU's output,
    signed. Deviations: none.

    Args:
        model, inputs, target, score, q, tau, rule, padding_trick, prr, percentile: as in `rectgrad`; ``(K, B)`` targets
            add a leading K to every tensor of a record.

    Returns:
        One `LayerRecord` for each ReLU between input and output.

    Raises:
        InputError, NotApplicable, EscapedOp: as `rectgrad`.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval()
        >>> net[1].weight.data[0] = torch.tensor([1.0, 10.0, -100.0, 1000.0])
        >>> layer = rectgrad_layers(net, torch.tensor([[3.0, 2.0, 1.0, 0.0]]), torch.tensor([0]), q=74)[0]
        >>> layer.name, layer.tau, layer.passed
        ('0', tensor([6.7400]), tensor([0.2500]))
    """
    rules = RectGrad(Threshold(q, tau, percentile), rule, trick(padding_trick), prr)
    run, gates = _run(model, inputs, score, rules)
    taps = [rules.places[gate] for gate in gates]
    grads = run.gradients(score, run.target(score, target), *(tap.name for tap in taps))
    return [
        _record(gate, name, tap.value, grad)
        for gate, name, tap, grad in zip(gates, _names(gates), taps, grads, strict=True)
    ]


def _run(model: nn.Module, inputs: Tensor, score: Score, rules: RectGrad) -> tuple[Pass, list[Gate]]:
    check_inputs(nn.Identity(), inputs)
    private = own(model)
    run = forward(private, inputs, score, rules.rules(len(inputs)))
    if not batch_comes_first(private, inputs, rules.ambiguous(len(inputs))):
        raise NotApplicable(
            f"rectgrad takes a threshold for each of {len(inputs)} samples, and a ReLU of this model does not hold the "
            "samples first; explain them one at a time"
        )
    return run, rules.settle(run.out)


def _names(gates: list[Gate]) -> list[str]:
    """The path of the module where it has one ReLU of its own, else with the index of the call."""
    uses = Counter(gate.module for gate in gates)
    alone = [bool(gate.module) and uses[gate.module] == 1 for gate in gates]
    return [
        gate.module if one else f"{gate.module} op:{gate.index}".strip() for gate, one in zip(gates, alone, strict=True)
    ]


def _record(gate: Gate, name: str, a: Tensor, grad: Tensor) -> LayerRecord:
    rows = grad if grad.dim() > a.dim() else grad[None]
    blocked, tau = torch.func.vmap(lambda g: gate.blocked(a, g))(rows)
    passed = 1 - blocked.reshape(*tau.shape, -1).to(tau.dtype).mean(2)
    maps = (a * grad).mean(-3, keepdim=True) if a.dim() == 4 else None  # figure 6
    lead = (0,) if grad.dim() == a.dim() else (slice(None),)
    return LayerRecord(name, tau[lead], passed[lead] == 0, passed[lead], maps)
