"""Layer-wise relevance propagation (Bach et al. 2015, doi:10.1371/journal.pone.0130140)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..engine.passes import INPUT, Pass, forward
from ..errors import InputError
from ..rules.lrp import PLANS, Options, Relevance
from ..rules.lrp_box import Box
from ..score import logit
from ..types import Score, method


@method(source="doi:10.1371/journal.pone.0130140, section 2.4", linear_in_target=True)
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
    at 1; a batch norm directly behind a layer counts as part of it; activations pass f(z) / z on, whatever they are.
    Without biases the map sums to the score, up to epsilon; what biases absorb is the residual, and is never shared out.
    Outputs whose contributions have one sign are not conserved by alphabeta (nor negative ones by zplus), by definition.
    Softmax and log_softmax give no sum either. An epsilon near the size of the activations swallows the relevance.

    Args:
        model, inputs, target, score: as in `gradient`. The score's own operations are under the rules too.
        rule: of convolutions and linear layers: "epsilon", "zplus", "gamma", "alphabeta"; "composite": gamma for
            convolutions, epsilon for linear layers, the box for a convolution that is the first layer; "epsilon_plus" and
            "epsilon_alphabeta": zplus or alphabeta for convolutions, epsilon for linear layers. Sums, means and
            normalisation have epsilon everywhere.
        epsilon: added to the size of each denominator, in the units of the activations.
        gamma: how much more the contributions of the output's own sign count.
        alpha, beta: weights of positive and negative contributions; alpha - beta = 1.
        low, high: lowest and highest pixel values of the box, a number or ``(C, 1, 1)``; None: each image's own.
        return_residual: give ``(map, residual)`` with residual = score - sum of the map, ``(B,)``.

    Returns:
        Score units; positive = evidence for the class.

    Raises:
        InputError: an option that is unknown, out of range, or has no meaning for the rule.
        NotApplicable: composite, on a model that pads, reorders or resizes the image first.
        EscapedOp: an operation without a rule (exp, pow, a quotient of two activations, ...).

    Example:
        >>> first, last = nn.Linear(2, 3, bias=False), nn.Linear(3, 2, bias=False)
        >>> first.weight.data = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 2.0]])
        >>> last.weight.data = torch.tensor([[1.0, 2.0, -1.0], [2.0, -1.0, 1.0]])
        >>> net = nn.Sequential(first, nn.ReLU(), last).eval()
        >>> lrp(net, torch.tensor([[3.0, 1.0]]), torch.tensor([0])).round(decimals=4)
        tensor([[ 9., -1.]])
    """
    relevance = Relevance(_checked(Options(rule, epsilon, gamma, alpha, beta), low, high), Box(low, high))
    run = forward(model, inputs, score, relevance.rules())
    classes = run.target(score, target)
    bounds = relevance.box.places
    message, *others = run.gradients(score, classes, INPUT, *bounds)  # R / x at the input and at the bounds
    maps = inputs.detach() * message
    for bound, share in zip(bounds.values(), others, strict=True):
        maps = maps + bound.value * share
    return (maps, _residual(run, score, classes, maps)) if return_residual else maps


def _residual(run: Pass, score: Score, classes: Tensor, maps: Tensor) -> Tensor:
    """Score minus the sum of the map, ``(B,)`` or ``(K, B)``."""
    with torch.no_grad():
        rows = [score(run.out.detach(), row) for row in classes.reshape(-1, classes.shape[-1])]
    return torch.stack(rows).reshape(classes.shape) - maps.flatten(classes.dim()).sum(-1)


def _checked(options: Options, low: object, high: object) -> Options:
    o = options
    if o.rule not in PLANS:
        raise InputError(f"rule={o.rule!r}; expected one of {', '.join(PLANS)}")
    if not (0 < o.epsilon < math.inf and 0 <= o.gamma < math.inf):
        raise InputError(f"epsilon={o.epsilon}, gamma={o.gamma}: expected epsilon > 0 and gamma >= 0")
    if o.beta < 0 or not math.isclose(o.alpha - o.beta, 1):
        raise InputError(f"alpha={o.alpha}, beta={o.beta}: expected beta >= 0 and alpha - beta = 1")
    if o.rule != "composite" and (low is not None or high is not None):
        raise InputError(f"low and high bound the pixels of rule='composite', got rule={o.rule!r}; leave them out")
    return o
