"""Gradient times input (Shrikumar et al. 2016, arXiv:1605.01713; CGI paper, section 2)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..engine.passes import INPUT
from ..score import logit
from ..types import Score, method
from .gradient import gradient


@method(source="arXiv:1605.01713", linear_in_target=True, needs=frozenset({("plain", INPUT)}))
def gradient_x_input(model: nn.Module, inputs: Tensor, target: Any = None, *, score: Score = logit) -> Tensor:
    """Gradient of the score times the input, element by element. ``(B, ...) -> (B, ...)``.

    Source: Shrikumar et al. 2016; on a bias-free ReLU network the map sums to the logit (CGI paper, lemma 1).
    Deviations: none. The input is multiplied as the model gets it, so that normalisation decides where zero is.

    Returns:
        Score units; positive = evidence for the class.

    Example:
        >>> import torch
        >>> linear = torch.nn.Linear(2, 2, bias=False).eval()
        >>> linear.weight.data = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
        >>> gradient_x_input(linear, torch.tensor([[3.0, 1.0]]), torch.tensor([0]))
        tensor([[ 3., -2.]])
    """
    return gradient(model, inputs, target, score=score) * inputs.detach()
