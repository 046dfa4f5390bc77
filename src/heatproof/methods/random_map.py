"""A control: noise that knows neither model nor image. It passes every randomisation test by construction."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..engine.call import without_model
from ..engine.chunks import normal_like, sample_generators
from ..engine.model import check_inputs
from ..score import logit
from ..types import Score, method


@method(source="control", uses_model=False, linear_in_target=False, noise=True, control_noise=True)
def random_map(
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    seed: int = 0,
    index: Tensor | None = None,
) -> Tensor:
    """Standard normal noise in the shape of the inputs. ``(B, ...) -> (B, ...)``.

    The lower bracket of every table: a check redraws it for each variant of the model, so that its similarity is 0.

    Args:
        model, target, score: not used, but held to the contract of all methods.
        seed, index: the noise of a sample comes from (seed, index); index int64 ``(B,)``, default 0 to B - 1.
    """
    del score
    check_inputs(nn.Identity(), inputs)
    return without_model(
        model, inputs, target, normal_like(inputs, sample_generators(seed, index, len(inputs), "random_map"))
    )
