"""DeepLIFT with the rescale rule (Shrikumar, Greenside, Kundaje 2017, arXiv:1704.02685)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..engine.call import like_inputs
from ..engine.model import check_inputs, own
from ..engine.passes import INPUT, Pass, forward
from ..errors import ModelError
from ..rules.deeplift import Reference
from ..score import logit
from ..types import Score, method

TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-3}
"""Largest residual, as a share of the map's absolute sum and the score; the lower dtypes hold too few digits to tell."""


@method(source="arXiv:1704.02685, sections 3.1, 3.2 and 3.5.2 (rescale rule)", linear_in_target=True, complete=True)
def deeplift(
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    baseline: float | Tensor = 0.0,
    return_residual: bool = False,
) -> Any:
    """Change from a baseline, times multipliers that explain it layer by layer. ``(B, ...) -> (B, ...)``.

    Source: Shrikumar et al. 2017, equations 1 to 3 (summation to delta, chain rule) and 11 (rescale rule); deviations: the
    paper leaves open maxima, products, softmax and norms. A maximum gives its change to its winners at the input and at
    the baseline, a product splits it by the means of its factors, softmax and norms are composed of these; all of them are
    complete, so that each map sums to its change of score whatever the baseline. The operations of `score` are included.

    Args:
        model, inputs, target, score: as in `gradient`.
        baseline: a number or a tensor that broadcasts to the inputs, in the model's units.
        return_residual: also return score(input) - score(baseline) - sum of the map, ``(B,)``: rounding only.

    Returns:
        Score units; positive = evidence for the class, relative to the baseline. Sums to score(input) - score(baseline).

    Raises:
        InputError: a baseline of another shape, or not finite.
        EscapedOp: an operation without a rule (a sort, a variance, ...), or one that ran out of sight.
        NotApplicable: a model that runs other operations on the baseline than on the input.
        ModelError: a map that does not sum to the change of score, because part of the model was not compared.

    Example:
        >>> relu = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU()).eval()  # f = relu(1 - x), flat from 1 on
        >>> relu[0].weight.data, relu[0].bias.data = torch.tensor([[-1.0]]), torch.tensor([1.0])
        >>> from heatproof.score import value
        >>> deeplift(relu, torch.tensor([[2.0]]), score=value)  # where the gradient is 0
        tensor([[-1.]])
    """
    private = own(model)
    check_inputs(private, inputs)
    x = inputs.detach()
    start = like_inputs(baseline, x)
    reference = Reference()
    rules = reference.rules()
    before = forward(private, start, score, rules).out.detach()
    run = reference.replay(lambda: forward(private, inputs, score, rules))
    target = run.target(score, target)
    relative = _Relative(score, before, reference)
    maps = (x - start) * run.gradients(relative, target, INPUT)[0]  # eq. 3: contribution = multiplier times difference
    residual = _residual(run, before, score, target, maps)
    return (maps, residual) if return_residual else maps


class _Relative:
    """The score, run at the baseline's output first, so that the rules of its own operations have their reference."""

    def __init__(self, score: Score, before: Tensor, reference: Reference) -> None:
        self.score, self.before, self.reference = score, before, reference
        self.__name__ = getattr(score, "__name__", repr(score))

    def __call__(self, out: Tensor, target: Tensor, /) -> Tensor:
        self.score(self.before.clone().requires_grad_(), target)
        scores: Tensor = self.reference.replay(lambda: self.score(out, target))
        return scores


def _residual(run: Pass, before: Tensor, score: Score, target: Tensor, maps: Tensor) -> Tensor:
    """score(input) - score(baseline) - sum of the map; raises where that is more than rounding."""
    with torch.no_grad():
        rows = target.reshape(-1, target.shape[-1])
        now, then = (torch.stack([score(out.clone(), t) for t in rows]) for out in (run.out.detach(), before))
    sums, size = (m.flatten(target.dim()).sum(-1).reshape(now.shape) for m in (maps, maps.abs()))
    residual = now - then - sums
    share = (residual.abs() / (size + now.abs() + then.abs()).clamp_min(torch.finfo(now.dtype).tiny)).max()
    if not share <= TOLERANCE.get(maps.dtype, float("inf")):
        raise ModelError(
            f"deeplift's map misses the change of score by {float(share):.1e} of its size: part of the model runs "
            "otherwise on the baseline, or a value overflows; choose another baseline, or use integrated_gradients"
        )
    return residual.reshape(target.shape)
