"""The gradient of the score (Simonyan, Vedaldi, Zisserman 2013, arXiv:1312.6034, section 3)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..engine.passes import INPUT, forward
from ..score import logit
from ..types import Score, method


@method(source="arXiv:1312.6034, section 3", linear_in_target=True, needs=frozenset({("plain", INPUT)}))
def gradient(model: nn.Module, inputs: Tensor, target: Any = None, *, score: Score = logit) -> Tensor:
    """Gradient of the score at the input. ``(B, ...) -> (B, ...)``.

    Source: Simonyan et al. 2013, section 3; deviations: none (signed, channels kept).

    Args:
        model: in evaluation mode; runs on anything autograd runs on, TorchScript included.
        inputs: ``(B, C, H, W)`` in the units the model takes.
        target: int64 ``(B,)``, or ``(K, B)`` for K classes; None explains the predicted class.
        score: what is explained; the logit by default.

    Returns:
        Score units per input unit; positive = raising this value raises the score.

    Example:
        >>> import torch
        >>> linear = torch.nn.Linear(2, 2, bias=False).eval()
        >>> linear.weight.data = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
        >>> gradient(linear, torch.ones(1, 2), torch.tensor([0]))
        tensor([[ 1., -2.]])
    """
    run = forward(model, inputs, score)
    return run.gradients(score, run.target(score, target), INPUT)[0]
