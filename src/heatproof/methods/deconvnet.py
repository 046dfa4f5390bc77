"""Deconvolution network (Zeiler and Fergus 2014, arXiv:1311.2901, section 2.1)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..engine.passes import INPUT, RECTIFIED, forward
from ..rules.relu import DECONV
from ..score import logit
from ..types import Score, method


@method(source="arXiv:1311.2901, section 2.1", needs=frozenset({("plain", RECTIFIED), (DECONV.name, INPUT)}))
def deconvnet(model: nn.Module, inputs: Tensor, target: Any = None, *, score: Score = logit) -> Tensor:
    """Gradient in which every ReLU rectifies the signal instead of gating it. ``(B, ...) -> (B, ...)``.

    Source: Zeiler and Fergus 2014, section 2.1, from the score of a class as in Springenberg et al. 2015, figure 1:
    R(l) = 1(R(l+1) > 0) R(l+1). Deviations: none; max pooling sends the signal to the winner, as their switches do.
    Every spelling of ReLU and ReLU6 has the rule; what the unit did in the forward does not matter. So on a network without
    max pooling (MobileNet) nothing of the image enters the map: it shows the class alone.

    Args:
        model, inputs, target, score: as in `gradient`.

    Returns:
        Score units per input unit, modified; sign as the gradient's.

    Raises:
        NotApplicable: no ReLU between input and score.
        EscapedOp: a nonlinearity without a rule (GELU, sigmoid, softmax, ...), or one that ran out of sight.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(3, 2, bias=False)).eval()
        >>> net[1].weight.data = torch.tensor([[1.0, 2.0, -3.0], [0.0, 0.0, 0.0]])
        >>> deconvnet(net, torch.tensor([[5.0, -5.0, 5.0]]), torch.tensor([0]))  # 2 passes a dead unit, -3 none
        tensor([[1., 2., 0.]])
    """
    run = forward(model, inputs, score, DECONV)
    return run.gradients(score, run.target(score, target), INPUT)[0]
