"""Integrated gradients (Sundararajan, Taly, Yan 2017, arXiv:1703.01365, equation 3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..engine.guard import fixed_batch
from ..engine.passes import INPUT, check_inputs, forward, own, predict
from ..errors import InputError
from ..score import check_target, logit
from ..types import Score, method

ROWS = 16
"""Samples in one pass by default, so that memory does not grow with the number of steps."""


@method(source="arXiv:1703.01365, equation 3", linear_in_target=True, complete=True, effort="steps")
def integrated_gradients(
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    steps: int = 50,
    baseline: float | Tensor = 0.0,
    rule: str = "midpoint",
    batch_size: int = ROWS,
) -> Tensor:
    """Input minus baseline, times the mean gradient on the straight path between them. ``(B, ...) -> (B, ...)``.

    Source: Sundararajan et al. 2017, equation 3 (the integral by `rule`). Sums to score(input) - score(baseline) up to
    the error of the rule.

    Args:
        model, inputs, target, score: as in `gradient`.
        steps: gradients on the path.
        baseline: a number or a tensor that broadcasts to the inputs, in the model's units.
        rule: "midpoint"; "trapezoid"; "right"; "pair" (both ends with full weight, as Sanity Checks' code does).
        batch_size: samples in one pass; bounds the memory.

    Returns:
        Score units; positive = evidence for the class, relative to the baseline.

    Raises:
        InputError: unknown rule, no steps, a baseline of another shape.

    Example:
        >>> linear = torch.nn.Linear(2, 2).eval()
        >>> linear.weight.data = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
        >>> integrated_gradients(linear, torch.tensor([[3.0, 1.0]]), torch.tensor([0]), baseline=1.0, steps=4)
        tensor([[2., -0.]])
    """
    alphas, weights = path(rule, steps)
    private = own(model)
    check_inputs(private, inputs)
    if target is None:
        target = predict(private, inputs, score)
    target = check_target(target, len(inputs), inputs.device, None)
    x = inputs.detach()
    start = _baseline(baseline, x)
    difference = x - start
    group = 1 if fixed_batch(private) else max(1, batch_size // len(x))
    total: Tensor | float = 0.0
    for first in range(0, steps, group):
        part = alphas[first : first + group]
        points = torch.cat([start + a * difference for a in part])
        run = forward(private, points, score)
        rows = run.target(score, target.repeat(*[1] * (target.dim() - 1), len(part)))
        grads = run.gradients(score, rows, INPUT)[0]
        grads = grads.reshape(*target.shape[:-1], len(part), *x.shape)
        for w, g in zip(weights[first : first + group], grads.unbind(target.dim() - 1), strict=True):
            total = total + w * g  # eq. 3, in the fixed order of the steps
    return difference * total


def path(rule: str, steps: int) -> tuple[list[float], list[float]]:
    """Positions on the path from 0 to 1 and their weights."""
    if steps < 1 or (steps < 2 and rule in ("trapezoid", "pair")):
        raise InputError(f"steps={steps}: rule={rule!r} needs at least {2 if rule in ('trapezoid', 'pair') else 1}")
    even = [1 / steps] * steps
    if rule == "midpoint":
        return [(i + 0.5) / steps for i in range(steps)], even
    if rule == "right":
        return [(i + 1) / steps for i in range(steps)], even
    ends = [i / (steps - 1) for i in range(steps)] if steps > 1 else []
    if rule == "pair":
        return ends, even
    if rule == "trapezoid":
        inner = 1 / (steps - 1)
        return ends, [inner / 2, *[inner] * (steps - 2), inner / 2]
    raise InputError(f"rule={rule!r}; expected midpoint, trapezoid, right or pair")


def _baseline(baseline: float | Tensor, x: Tensor) -> Tensor:
    value = torch.as_tensor(baseline, dtype=x.dtype, device=x.device)
    try:
        return value.expand_as(x)
    except RuntimeError:
        raise InputError(
            f"baseline has shape {tuple(value.shape)}, which does not broadcast to inputs of shape {tuple(x.shape)}; "
            "give a number, (C, 1, 1), or a tensor like the inputs"
        ) from None
