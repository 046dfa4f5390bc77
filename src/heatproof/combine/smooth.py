"""Mean, mean square and variance of a method's maps over noisy copies of the input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from ..score import logit
from ..types import Explain, Score, Spec
from .composed import COMBINATORS, Combinator, Composed, combine
from .noise import check_noise, mean_of, noisy_maps, variance_of

SMOOTH: dict[str, Any] = {"n": 50, "sigma": 0.15, "seed": 0}
"""Defaults of `smooth`, which are left out of its text."""


def smooth(explain: Explain, n: int = 50, sigma: float = 0.15, seed: int = 0) -> Composed:
    """SmoothGrad of any method: the mean of its maps over noisy copies of the input (Smilkov et al. 2017).

    Args:
        explain: any method or callable; a callable is called once a draw, with the caller's batch.
        n: draws, default 50.
        sigma: standard deviation of the noise as a share of each image's (max - min), default 0.15.
        seed: the noise of a sample comes from (seed, index), default 0; that of a method inside from (seed, draw, index),
            unless it has a seed of its own.

    Source: arXiv:1706.03825, section 3; signed mean, noise relative to each image, not to the batch.
    """
    return combine("smooth", explain, n=n, sigma=sigma, seed=seed)


def smooth_squared(explain: Explain, n: int = 50, sigma: float = 0.15, seed: int = 0) -> Composed:
    """SmoothGrad squared of any method: the mean of its squared maps, with the noise of `smooth` (ROAR paper).

    Args:
        explain, n, sigma, seed: as in `smooth`.

    Source: Hooker et al. 2019, arXiv:1806.10758, section 4.1.

    Example:
        >>> import torch
        >>> from heatproof import gradient
        >>> linear = nn.Linear(2, 2).eval()
        >>> linear.weight.data = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
        >>> smooth_squared(gradient)(linear, torch.tensor([[3.0, 1.0]]), torch.tensor([0]))
        tensor([[1., 4.]])
    """
    return combine("smooth_squared", explain, n=n, sigma=sigma, seed=seed)


def vargrad(explain: Explain, n: int = 25, sigma: float = 0.15, seed: int = 0) -> Composed:
    """VarGrad of any method: the variance of its maps, with the noise of `smooth` (Adebayo et al. 2018).

    Args:
        explain, sigma, seed: as in `smooth`.
        n: draws, default 25.

    Source: arXiv:1810.03292, appendix A.7.

    Example:
        >>> import torch
        >>> from heatproof import gradient
        >>> vargrad(gradient)(nn.Linear(2, 2).eval(), torch.tensor([[3.0, 1.0]]), torch.tensor([0]))
        tensor([[0., 0.]])
    """
    return combine("vargrad", explain, n=n, sigma=sigma, seed=seed)


def _smooth(
    explain: Explain,
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    n: int = 50,
    sigma: float = 0.15,
    seed: int = 0,
    index: Tensor | None = None,
) -> Tensor:
    """Mean of a method's maps over noisy copies of the input. ``(B, C, H, W)`` as the method's own.

    Source: Smilkov et al. 2017, arXiv:1706.03825. Signed mean over `n` draws; the noise is normal with `sigma` times
    each image's (max - min), drawn from (seed, index of the sample), so that it does not depend on the batch and is the
    same for every model that a check compares.

    Args:
        model, inputs, target, score: as in `gradient`; target None is resolved once, on the clean input.
        n: draws. sigma: share of the image's range. seed, index: see above; index int64 ``(B,)``, default 0 to B - 1.
    """
    return mean_of(noisy_maps(explain, model, inputs, target, score, n, sigma, seed, index))


def _smooth_squared(
    explain: Explain,
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    n: int = 50,
    sigma: float = 0.15,
    seed: int = 0,
    index: Tensor | None = None,
) -> Tensor:
    """Mean of a method's squared maps over noisy copies of the input. ``(B, C, H, W)`` as the method's own.

    Source: Hooker et al. 2019, arXiv:1806.10758, section 4.1; deviations: none. Squared for each channel by itself.

    Args:
        model, inputs, target, score, n, sigma, seed, index: as in `smooth`, with the same noise.

    Returns:
        The method's units squared; not negative.
    """
    maps = noisy_maps(explain, model, inputs, target, score, n, sigma, seed, index)
    return mean_of(m.square() for m in maps)


def _vargrad(
    explain: Explain,
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    n: int = 25,
    sigma: float = 0.15,
    seed: int = 0,
    index: Tensor | None = None,
) -> Tensor:
    """Variance of a method's maps over noisy copies of the input. ``(B, C, H, W)`` as the method's own.

    Source: Sanity Checks, arXiv:1810.03292, appendix A.7; divided by n, not by n - 1, as their code does. Computed by
    Welford's recurrence: exactly 0 where the maps do not vary (the gradient of a linear model), never negative.

    Args:
        model, inputs, target, score, n, sigma, seed, index: as in `smooth`, with the same noise.

    Returns:
        The method's units squared; not negative.
    """
    return variance_of(noisy_maps(explain, model, inputs, target, score, n, sigma, seed, index))


def _smooth_spec(part: Spec | None) -> Spec:
    known = part or Spec()
    return replace(
        known, source="arXiv:1706.03825", complete=False, noise=True, control_noise=False, effort="n", needs=frozenset()
    )


def _squared_spec(part: Spec | None) -> Spec:
    return replace(_smooth_spec(part), source="arXiv:1806.10758, section 4.1", signed=False, linear_in_target=False)


def _vargrad_spec(part: Spec | None) -> Spec:
    return replace(_squared_spec(part), source="arXiv:1810.03292, appendix A.7")


COMBINATORS["smooth"] = Combinator(_smooth, _smooth_spec, check_noise)
COMBINATORS["smooth_squared"] = Combinator(_smooth_squared, _squared_spec, check_noise)
COMBINATORS["vargrad"] = Combinator(_vargrad, _vargrad_spec, check_noise)
