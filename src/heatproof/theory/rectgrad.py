"""RectGrad on fully connected ReLU networks, written out: which units pass, and what each unit really contributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import InputError

Layers = Sequence[tuple[Tensor, Tensor]]
"""Weight ``(out, in)`` and bias ``(out,)`` of each affine layer; ReLU between them, none behind the last."""

RULES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "pr1": lambda a, r: a * r,
    "pr2": lambda a, r: (a * r).abs(),
    "pr3": lambda a, r: a,
    "pr4": lambda a, r: r,
}
"""Appendix B.1: the score that is compared to tau, of an activation a and the gradient R that arrives at it."""


class Hidden(NamedTuple):
    """One hidden layer on the way back: activations, the gradient that arrives, and which units pass it, ``(B, D)``."""

    activation: Tensor
    gradient: Tensor
    passes: Tensor


def passing(activation: Tensor, gradient: Tensor, q: float, rule: str = "pr1") -> Tensor:
    """The units of a layer whose score is over the q-th percentile of the layer's scores. ``(B, D) -> (B, D)`` bool.

    Source: Kim et al. 2019, arXiv:1902.04893, section 4.1 and appendix B.1; deviations: none (percentiles as NumPy's).

    Args:
        activation, gradient: a and R, the gradient that arrives at a.
        q: percentile, 0 to 100; strictly larger scores pass.
        rule: a key of `RULES`.

    Raises:
        InputError: another rule, or q out of its range.

    Example:
        >>> a, r = torch.tensor([[3.0, 2.0, 1.0, 0.0]]), torch.tensor([[1.0, 10.0, -100.0, 1000.0]])  # appendix B.2
        >>> [int(passing(a, r, 74, rule).int().argmax()) + 1 for rule in RULES]
        [2, 3, 1, 4]
    """
    if rule not in RULES or not 0 <= q <= 100:
        raise InputError(f"passing(q={q!r}, rule={rule!r}): expected 0 to 100, and one of {', '.join(RULES)}")
    scores = RULES[rule](activation, gradient)
    return scores > torch.quantile(scores, q / 100, dim=1, keepdim=True)  # section 4.1: a R > tau


def rectified(layers: Layers, x: Tensor, target: Tensor, q: float, rule: str = "pr1") -> list[Hidden]:
    """The backward pass of RectGrad, first hidden layer first. ``(B, D0), (B,) ->`` one `Hidden` per hidden layer.

    Source: Kim et al. 2019, arXiv:1902.04893, section 4.1; "mod" is appendix B.4: PR1 at the last hidden layer, PR2 before.
    Deviations: none.

    Args:
        layers: of the network, two or more.
        target: the logit that is explained, int64.
        q, rule: as in `passing`, or "mod".

    Raises:
        InputError: as `passing`; no hidden layer.

    Example:
        >>> one = torch.ones(1, 2)
        >>> [layer.passes.tolist() for layer in rectified([(torch.eye(2), torch.zeros(2)), (one, torch.zeros(1))],
        ...  torch.tensor([[1.0, 3.0]]), torch.tensor([0]), q=50)]
        [[[False, True]]]
    """
    if len(layers) < 2:
        raise InputError(f"{len(layers)} layers have no ReLU between them; expected two or more")
    units = activations(layers, x)
    gradient = layers[-1][0][target]  # of the logit, at the last hidden layer
    found: list[Hidden] = []
    for depth in range(len(layers) - 2, -1, -1):
        now = rule if rule != "mod" else "pr2" if found else "pr1"
        passes = passing(units[depth], gradient, q, now)
        found.append(Hidden(units[depth], gradient, passes))
        gradient = gradient * passes @ layers[depth][0]  # R(l) = 1(a R > tau) R(l+1), through the affine layer
    return found[::-1]


def activations(layers: Layers, x: Tensor) -> list[Tensor]:
    """Activations of the hidden layers, and the logits last. ``(B, D0) -> (B, D)`` each."""
    found = []
    for weight, bias in layers[:-1]:
        x = (x @ weight.T + bias).relu()
        found.append(x)
    return [*found, x @ layers[-1][0].T + layers[-1][1]]


def switched_off(layers: Layers, units: Tensor, depth: int, off: Tensor, target: Tensor) -> Tensor:
    """How far the logit falls without some units of a hidden layer. ``(B, D), bool (B, D), (B,) -> (B,)``.

    Args:
        layers: of the network.
        units: activations of hidden layer `depth`.
        off: the units that are set to zero.
        target: the logit.

    Example:
        >>> layers = [(torch.eye(2), torch.zeros(2)), (torch.tensor([[1.0, -2.0]]), torch.zeros(1))]
        >>> switched_off(layers, torch.tensor([[3.0, 1.0]]), 0, torch.tensor([[False, True]]), torch.tensor([0]))
        tensor([-2.])
    """
    behind = layers[depth + 1 :]
    before, after = (activations(behind, a)[-1] for a in (units, units.masked_fill(off, 0)))
    return (before - after).gather(1, target[:, None])[:, 0]


def influence(layers: Layers, units: Tensor, depth: int, target: Tensor) -> Tensor:
    """How far the logit falls without each single unit of a hidden layer: its exact contribution. ``(B, D) -> (B, D)``.

    Args:
        layers, units, depth, target: as in `switched_off`.

    Example:
        >>> layers = [(torch.eye(2), torch.zeros(2)), (torch.tensor([[1.0, -2.0]]), torch.zeros(1))]
        >>> influence(layers, torch.tensor([[3.0, 1.0]]), 0, torch.tensor([0]))
        tensor([[ 3., -2.]])
    """
    weight, bias = layers[depth + 1]
    rows = []
    for one, label in zip(units, target, strict=True):
        without = (one @ weight.T + bias) - one[:, None] * weight.T  # the next layer's values, a row for each unit
        full = (one @ weight.T + bias)[None]
        if depth + 2 < len(layers):
            without, full = (activations(layers[depth + 2 :], z.relu())[-1] for z in (without, full))
        rows.append(full[0, label] - without[:, label])
    return torch.stack(rows).masked_fill(units == 0, 0)  # and not what rounding makes of it
