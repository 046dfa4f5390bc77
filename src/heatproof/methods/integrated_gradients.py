"""Integrated gradients (Sundararajan, Taly, Yan 2017, arXiv:1703.01365, equation 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..engine.call import like_inputs
from ..engine.chunks import chunk_slices
from ..engine.guard import fixed_batch
from ..engine.model import check_inputs, output, own, predict
from ..engine.passes import INPUT, forward
from ..engine.rows import ROWS, rows_at_once
from ..errors import InputError
from ..perturb import scores, wide
from ..score import check_target, logit
from ..types import Score, method


@method(source="arXiv:1703.01365, equation 3", linear_in_target=True, complete=True, effort="steps")
def integrated_gradients(
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    steps: int = 50,
    baseline: float | Tensor | Sequence[float | Tensor] = 0.0,
    rule: str = "midpoint",
    multiply: bool = True,
    batch_size: int = ROWS,
    return_residual: bool = False,
) -> Any:
    """Input minus baseline, times the mean gradient on the straight path between them. ``(B, ...) -> (B, ...)``.

    Source: Sundararajan et al. 2017, equation 3 (the integral by `rule`); deviations: none. Sums to score(input) -
    score(baseline) up to the error of the rule. On a linear model it is (x - baseline) w, not the w / 2 that Sanity
    Checks, section 5.3, prints.

    Args:
        model, inputs, target, score: as in `gradient`.
        steps: gradients on the path.
        baseline: a number or a tensor that broadcasts to the inputs, in the model's units; a list or tuple of them
            averages their maps.
        rule: "midpoint"; "trapezoid"; "right"; "pair" (both ends with full weight, as Sanity Checks' code does).
        multiply: False leaves the factor (input - baseline) out: the mean gradient alone, in score units per input unit.
        batch_size: samples in one pass; bounds the memory.
        return_residual: return (map, residual), ``(B,)``: score(input) - mean score(baseline) - sum of the map.

    Returns:
        Score units; positive = evidence for the class, relative to the baseline.

    Raises:
        InputError: unknown rule, no steps, no baseline or one of another shape.

    Example:
        >>> linear = torch.nn.Linear(2, 2).eval()
        >>> linear.weight.data = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
        >>> integrated_gradients(linear, torch.tensor([[3.0, 1.0]]), torch.tensor([0]), baseline=1.0, steps=4)
        tensor([[2., 0.]])
    """
    points = path(rule, steps)
    if type(batch_size) is not int or batch_size < 1:
        raise InputError(f"batch_size={batch_size!r}; expected a whole number of 1 or more")
    if return_residual and not multiply:
        raise InputError(
            "return_residual=True belongs to maps with the factor (input - baseline); leave out multiply=False"
        )
    private = own(model)
    check_inputs(private, inputs)
    x = inputs.detach()
    batch_size = rows_at_once(batch_size)
    parts = list(chunk_slices(len(x), fixed_batch(private) or batch_size))
    if target is None:
        target = torch.cat([predict(private, x[rows], score) for rows in parts])
    target = check_target(target, len(x), x.device, None)
    starts = _baselines(baseline, x)
    group = 1 if fixed_batch(private) else max(1, batch_size // len(x))
    maps = torch.cat(
        [
            _mean_map(private, x[p], [s[p] for s in starts], target[..., p], score, points, group, multiply)
            for p in parts
        ],
        target.dim() - 1,
    )
    return (maps, _residual(private, x, starts, target, score, maps, parts)) if return_residual else maps


def _mean_map(
    private: nn.Module,
    x: Tensor,
    starts: list[Tensor],
    target: Tensor,
    score: Score,
    points: tuple[list[float], list[float]],
    group: int,
    multiply: bool,
) -> Tensor:
    """Equation 3, averaged over the baselines; summed in float32 at least, since sums in bfloat16 stop growing."""
    exact = x.to(wide(x.dtype))
    means = [_mean_gradient(private, x, s, target, score, points, group) for s in starts]
    maps = [(exact - s) * g for s, g in zip(starts, means, strict=True)] if multiply else means
    return torch.stack(maps).mean(0).to(x.dtype)


def _mean_gradient(
    private: nn.Module,
    x: Tensor,
    start: Tensor,
    target: Tensor,
    score: Score,
    points: tuple[list[float], list[float]],
    group: int,
) -> Tensor:
    """The integral of equation 3: the gradient averaged over the path, `group` points in one pass."""
    alphas, weights = points
    total, way = torch.zeros(()), x.to(wide(x.dtype)) - start
    for first in range(0, len(alphas), group):
        part = alphas[first : first + group]
        run = forward(private, torch.cat([start + a * way for a in part]).to(x.dtype), score)
        rows = run.target(score, target.repeat(*[1] * (target.dim() - 1), len(part)))
        grads = run.gradients(score, rows, INPUT)[0]
        grads = grads.reshape(*target.shape[:-1], len(part), *x.shape)
        for w, g in zip(weights[first : first + group], grads.unbind(target.dim() - 1), strict=True):
            total = w * g.to(way.dtype) + total  # in the fixed order of the steps
    return total


def _residual(
    private: nn.Module,
    x: Tensor,
    starts: list[Tensor],
    target: Tensor,
    score: Score,
    maps: Tensor,
    parts: list[slice],
) -> Tensor:
    """score(input) - mean score(baseline) - sum of the map, in the shape of the target."""
    end, *begins = [
        torch.cat([scores(output(private, point[p], score), score, target[..., p]) for p in parts], -1)
        for point in (x, *starts)
    ]
    sums = maps.to(end.dtype).flatten(target.dim()).sum(-1)
    return (end - torch.stack(begins).mean(0) - sums).to(maps.dtype)


def path(rule: str, steps: int) -> tuple[list[float], list[float]]:
    """Positions on the path from 0 to 1 and their weights."""
    least = 2 if rule in ("trapezoid", "pair") else 1
    if type(steps) is not int or steps < least:
        raise InputError(f"steps={steps!r}; expected a whole number of {least} or more for rule={rule!r}")
    even = [1 / steps] * steps
    if rule == "midpoint":
        return [(i + 0.5) / steps for i in range(steps)], even
    if rule == "right":
        return [(i + 1) / steps for i in range(steps)], even
    ends = [i / max(1, steps - 1) for i in range(steps)]
    if rule == "pair":
        return ends, even
    if rule == "trapezoid":
        inner = 1 / (steps - 1)
        return ends, [inner / 2, *[inner] * (steps - 2), inner / 2]
    raise InputError(f"rule={rule!r}; expected midpoint, trapezoid, right or pair")


def _baselines(baseline: float | Tensor | Sequence[float | Tensor], x: Tensor) -> list[Tensor]:
    listed = list(baseline) if isinstance(baseline, (list, tuple)) else [baseline]
    if not listed:
        raise InputError("baseline is empty; give a number, a tensor, or several of them")
    return [like_inputs(one, x) for one in listed]
