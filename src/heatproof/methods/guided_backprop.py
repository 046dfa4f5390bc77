"""Guided backpropagation (Springenberg et al. 2015, arXiv:1412.6806, figure 1)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..engine.passes import INPUT, RECTIFIED, forward
from ..rules.relu import GUIDED
from ..score import logit
from ..types import Score, method


@method(source="arXiv:1412.6806, figure 1", needs=frozenset({("plain", RECTIFIED), (GUIDED.name, INPUT)}))
def guided_backprop(model: nn.Module, inputs: Tensor, target: Any = None, *, score: Score = logit) -> Tensor:
    """Gradient in which every ReLU passes only positive signal. ``(B, ...) -> (B, ...)``.

    Source: Springenberg et al. 2015, figure 1. Every spelling of ReLU and ReLU6 has the rule (for ReLU6 the gate of the
    forward is 0 < z < 6). Known to resemble an edge detector and to depend little on the upper layers (Sanity Checks).

    Returns:
        Score units per input unit, modified; sign as the gradient's.

    Raises:
        NotApplicable: no ReLU between input and score.
        EscapedOp: a nonlinearity without a rule (GELU, sigmoid, softmax, ...), or one that ran out of sight.
    """
    run = forward(model, inputs, score, GUIDED)
    return run.gradients(score, run.target(score, target), INPUT)[0]
