"""A control: the image itself, as the model gets it (the limit of methods that multiply by the input)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..engine.call import without_model
from ..engine.model import check_inputs
from ..score import logit
from ..types import Score, method


@method(source="control", uses_model=False)
def input_map(model: nn.Module, inputs: Tensor, target: Any = None, *, score: Score = logit) -> Tensor:
    """The inputs, unchanged. ``(B, ...) -> (B, ...)``, input units. Ignores the model."""
    del score
    check_inputs(nn.Identity(), inputs)
    return without_model(model, inputs, target, inputs.detach().clone())
