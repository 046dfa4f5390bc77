"""SimpleFullGrad: FullGrad without the biases (official code of arXiv:1905.00780)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..engine.call import check_image
from ..engine.passes import TERMS
from ..full_gradient import full_gradient_map
from ..psi import Psi
from ..score import logit
from ..types import Score, method


@method(
    source="arXiv:1905.00780, official code",
    channels=False,
    signed=False,
    image=True,
    needs=frozenset({("plain", TERMS)}),
)
def simple_fullgrad(
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    rescale: str = "layer",
    values: str = "abs",
    align_corners: bool = False,
    official: bool = False,
) -> Tensor:
    """FullGrad with the gradient at each layer in the place of its bias-gradient. ``(B, C, H, W) -> (B, 1, H, W)``.

    Source: simple_fullgrad.py of the official code: psi(df/dx * x) + sum over layers with a bias of psi(df/dy). Deviations:
    every operation that has a residual counts as a layer with a bias (GELU, layer norm, ...), as in `fullgrad`.

    Args:
        model, inputs, target, score, rescale, values, align_corners, official: as in `fullgrad`.

    Returns:
        Sum of rescaled gradients, not negative, unless values="signed".

    Raises:
        InputError, EscapedOp, ModelError: as `fullgrad`.
    """
    check_image(inputs, "simple_fullgrad")
    psi = Psi(values, rescale, align_corners or official, 1e-6 if official else 0.0)
    return full_gradient_map(model, inputs, target, score, psi, only_layers=official, gradients_only=True)
