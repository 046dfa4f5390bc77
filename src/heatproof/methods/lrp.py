"""Layer-wise relevance propagation (Bach et al. 2015, doi:10.1371/journal.pone.0130140)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..engine.passes import INPUT, Pass, forward
from ..errors import InputError
from ..rules.lrp import Relevance
from ..rules.lrp_box import Box
from ..rules.lrp_plans import PLANS, Options
from ..score import logit
from ..types import Score, method


@method(source="doi:10.1371/journal.pone.0130140, section 2.4")  # linear in its target only as epsilon -> 0
def lrp(
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    rule: str = "epsilon",
    epsilon: float = 1e-7,
    gamma: float = 0.25,
    alpha: float = 2.0,
    beta: float = 1.0,
    low: float | Tensor | None = None,
    high: float | Tensor | None = None,
    return_residual: bool = False,
) -> Any:
    """Relevance of each input, passed back layer by layer from the score itself. ``(B, ...) -> (B, ...)``.

    Source: Bach et al. 2015, equations 58 (epsilon) and 60 (alphabeta); Montavon et al. 2017 (zplus, box) and 2019
    (gamma); Achtibat et al. 2024, AttnLRP (attention, products, norms). Deviations: relevance starts at the score, not
    at 1; a constant scale or shift and a batch norm behind a layer
    count as part of it; activations pass f(z) / z on, whatever they are.
    Without biases the map sums to the score, up to epsilon; what biases absorb is the residual, and is never shared out.
    Outputs whose contributions have one sign are not conserved by alphabeta (nor negative ones by zplus), by definition.
    Softmax and log_softmax give no sum either. An epsilon near the size of the activations swallows the relevance.

    Args:
        model, inputs, target, score: as in `gradient`. The score's own operations are under the rules too.
        rule: of convolutions and linear layers: "epsilon", "zplus", "gamma", "alphabeta"; "composite": gamma for
            convolutions, epsilon for linear layers, the box for a convolution that is the first layer; "epsilon_plus" and
            "epsilon_alphabeta": zplus or alphabeta for convolutions, epsilon for linear layers. Sums, means and
            normalisation have epsilon everywhere. A layer is what the network calls it (a 1 x 1 convolution is a
            convolution); a scale, shift or batch norm behind it is part of it, up to a concatenation, stack or mask.
        epsilon: added to the size of each denominator, in the units of the activations.
        gamma: how much more the contributions of the output's own sign count.
        alpha, beta: weights of positive and negative contributions; alpha - beta = 1.
        low, high: the box: lowest and highest values of what the first convolution reads (pixels after any normalisation
            inside the model), a number or ``(C, 1, 1)``; None: each image's own.
        return_residual: give ``(map, residual)`` with residual = score - sum of the map, ``(B,)``.

    Returns:
        Score units; positive = evidence for the class.

    Raises:
        InputError: an option that is unknown, out of range, or has no meaning for the rule.
        NotApplicable: composite, on a model that pads, reorders or resizes the image first.
        EscapedOp: an operation without a rule (exp, pow, a quotient of two activations, ...); but for epsilon, also weights
            that the rule cannot read (multi_dot, bilinear, an einsum of three factors, ...).

    Example:
        >>> first, last = nn.Linear(2, 3, bias=False), nn.Linear(3, 2, bias=False)
        >>> first.weight.data = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 2.0]])
        >>> last.weight.data = torch.tensor([[1.0, 2.0, -1.0], [2.0, -1.0, 1.0]])
        >>> net = nn.Sequential(first, nn.ReLU(), last).eval()
        >>> lrp(net, torch.tensor([[3.0, 1.0]]), torch.tensor([0])).round(decimals=4)
        tensor([[ 9., -1.]])
    """
    _check(rule, epsilon, gamma, alpha, beta, low, high)
    relevance = Relevance(Options(rule, epsilon, gamma, alpha, beta), Box(low, high))
    run = forward(model, inputs, score, relevance.rules())
    classes = run.target(score, target)
    places = run.rules.state.box.places if run.rules else {}  # a shared pass is of another call's rules
    if not places and (low is not None or high is not None):
        raise InputError(
            "low and high bound what a first convolution reads, and this model begins otherwise; leave them out"
        )
    message, *others = run.gradients(score, classes, INPUT, *places)  # R / x at the input and where the box reads it
    maps = inputs.detach() * message
    for place, share in zip(places.values(), others, strict=True):
        maps = maps + place.value * share
    return (maps, _residual(run, score, classes, maps)) if return_residual else maps


def _residual(run: Pass, score: Score, classes: Tensor, maps: Tensor) -> Tensor:
    """Score minus the sum of the map, ``(B,)`` or ``(K, B)``."""
    with torch.no_grad():
        rows = [score(run.out.detach(), row) for row in classes.reshape(-1, classes.shape[-1])]
    return torch.stack(rows).reshape(classes.shape) - maps.flatten(classes.dim()).sum(-1)


_OPTIONS = {
    "gamma": (0.25, {"gamma", "composite"}),
    "alpha": (2.0, {"alphabeta", "epsilon_alphabeta"}),
    "beta": (1.0, {"alphabeta", "epsilon_alphabeta"}),
    "low": (None, {"composite"}),
    "high": (None, {"composite"}),
}
"""The default of each option, and the rules that read it."""


def _check(rule: Any, epsilon: Any, gamma: Any, alpha: Any, beta: Any, low: Any, high: Any) -> None:
    if not isinstance(rule, str) or rule not in PLANS:
        raise InputError(f"rule={rule!r}; expected one of {', '.join(PLANS)}")
    numbers = {"epsilon": epsilon, "gamma": gamma, "alpha": alpha, "beta": beta}
    for name, value in numbers.items():
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise InputError(f"{name}={value!r}; expected a finite number")
    for name, bound in (("low", low), ("high", high)):
        if not (bound is None or isinstance(bound, (int, float, Tensor))):
            raise InputError(f"{name}={bound!r}; expected a number, a tensor (C, 1, 1), or None for each image's own")
    if not (epsilon > 0 and gamma >= 0):
        raise InputError(f"epsilon={epsilon}, gamma={gamma}: expected epsilon > 0 and gamma >= 0")
    if beta < 0 or not math.isclose(alpha - beta, 1):
        raise InputError(f"alpha={alpha}, beta={beta}: expected beta >= 0 and alpha - beta = 1")
    for name, value in {**numbers, "low": low, "high": high}.items():
        default, readers = _OPTIONS.get(name, (None, {rule}))
        if rule not in readers and (isinstance(value, Tensor) or value != default):
            raise InputError(
                f"{name} has no meaning for rule={rule!r}; leave it out, or use rule={' or '.join(sorted(readers))}"
            )
