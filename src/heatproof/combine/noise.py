"""The noise loop that smooth, smooth_squared and vargrad share: a method's maps over noisy copies of the input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..engine.call import attribute, guarded
from ..engine.chunks import generator, normal_like, sample_generators, whole_seed
from ..engine.guard import fixed_batch
from ..engine.model import check_inputs, own, predict
from ..engine.rows import joined
from ..errors import InputError
from ..score import check_target
from ..types import Explain, Score, Spec, spec_of


def noisy_maps(
    explain: Explain,
    model: nn.Module,
    inputs: Tensor,
    target: Any,
    score: Score,
    n: int,
    sigma: float,
    seed: int,
    index: Tensor | None,
) -> Iterator[Tensor]:
    """One map a draw, each ``(B, ...)``; equal (n, sigma, seed, index) give equal noise.

    The target None is resolved once, on the clean input. A method inside that has noise too gets a seed from
    (seed, draw): with the caller's own it would add the same noise again.
    """
    check_noise(n, sigma, seed)
    seed = whole_seed(seed)
    private = own(model)
    check_inputs(private, inputs)
    target = (
        predict(private, inputs, score) if target is None else check_target(target, len(inputs), inputs.device, None)
    )
    given, x = guarded(explain, private, inputs.detach())
    spread = (x.flatten(1).amax(1) - x.flatten(1).amin(1)).reshape(-1, *[1] * (x.dim() - 1)) * sigma
    draws = sample_generators(seed, index, len(x), "smooth")
    group = joined(x) if _joinable(explain, private) else 1
    for first in range(0, n, group):
        count = min(group, n - first)
        noisy = torch.cat([x + spread * normal_like(x, draws) for _ in range(count)])
        inner = generator("inner", seed, first).initial_seed()
        maps = attribute(explain, given, noisy, torch.cat([target] * count, -1), score=score, seed=inner, index=index)
        yield from torch.split(maps, len(x), target.dim() - 1)


def _joinable(explain: Explain, private: nn.Module) -> bool:
    """Whether several draws may go through the model together, so that a few images fill a pass too. One by one go methods
    with noise of their own, drawn by the place of a sample, those that fill a pass with one draw (integrated gradients),
    callables of anyone's, and models of one batch size."""
    alone = any(spec is None or spec.noise or spec.effort for spec in _specs(explain))
    return not alone and fixed_batch(private) is None


def _specs(explain: Explain) -> Iterator[Spec | None]:
    """What is known of a method and of all methods inside it."""
    yield spec_of(explain)
    for part in getattr(explain, "parts", ()):
        yield from _specs(part)


def mean_of(maps: Iterable[Tensor]) -> Tensor:
    """Running mean, ``mean_k = mean_(k-1) + (m_k - mean_(k-1)) / k``: exact where all maps are equal."""
    return _moments(maps)[0]


def variance_of(maps: Iterable[Tensor]) -> Tensor:
    """Variance with ddof 0 (Welford 1962): never negative, and exactly 0 where all maps are equal."""
    return _moments(maps)[1]


def _moments(maps: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and variance, summed in float32 at least, in the dtype of the maps."""
    draws = iter(maps)
    first = next(draws)
    count, mean = 1, first.to(torch.promote_types(first.dtype, torch.float32))
    squares = torch.zeros_like(mean)
    for count, m in enumerate(draws, 2):
        delta = m - mean
        mean = mean + delta / count
        squares = squares + delta.square() * ((count - 1) / count)  # the form of Welford's sum that has no signs
    return mean.to(first.dtype), (squares / count).to(first.dtype)


def check_noise(n: Any = 1, sigma: Any = 0, seed: Any = 0) -> None:
    """Raise `InputError` for options that no noise can be drawn with."""
    whole_seed(seed)
    if not isinstance(n, int) or n < 1 or not isinstance(sigma, (int, float)) or not 0 <= sigma < float("inf"):
        raise InputError(f"n={n!r}, sigma={sigma!r}: expected a whole n >= 1 and a number sigma >= 0")
