"""Guided GradCAM (Selvaraju et al. 2017, arXiv:1610.02391, section 3.2)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..engine.passes import INPUT, RECTIFIED, SPATIAL
from ..rules.relu import GUIDED
from ..score import logit
from ..types import Score, method
from .gradcam import gradcam
from .guided_backprop import guided_backprop


@method(
    source="arXiv:1610.02391, section 3.2",
    image=True,
    needs=frozenset({("plain", SPATIAL), ("plain", RECTIFIED), (GUIDED.name, INPUT)}),
)
def guided_gradcam(
    model: nn.Module, inputs: Tensor, target: Any = None, *, score: Score = logit, layer: str | None = None
) -> Tensor:
    """Guided backprop times the upsampled GradCAM. ``(B, C, H, W) -> (B, C, H, W)``.

    Source: Selvaraju et al. 2017, section 3.2; guided backprop signed, not clipped, as Sanity Checks' code.

    Args:
        model, inputs, target, score: as in `gradient`.
        layer: as in `gradcam`.

    Returns:
        Modified units (score squared per input unit); sign as the gradient's.

    Raises:
        NotApplicable, EscapedOp: where GradCAM or guided backprop do.
    """
    guided = guided_backprop(model, inputs, target, score=score)
    return guided * gradcam(model, inputs, target, score=score, layer=layer)
