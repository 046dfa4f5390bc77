"""A map times the input: what shows through of the image once a method multiplies by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from ..engine.call import attribute, guarded
from ..engine.model import check_inputs, own, predict
from ..score import check_target, logit
from ..types import Explain, Score, Spec
from .composed import COMBINATORS, Combinator, Composed, combine


def times_input(explain: Explain) -> Composed:
    """Any method's map times the input: ``times_input(gradient)`` is gradient_x_input.

    Args:
        explain: any method or callable; maps without channels are spread over the channels of the input.

    Source: Sanity Checks, arXiv:1810.03292, section 5.2: the products of the input with an edge map and with noise show
    how much of a map is the image alone.

    Example:
        >>> import torch
        >>> from heatproof import gradient
        >>> linear = nn.Linear(2, 2, bias=False).eval()
        >>> linear.weight.data = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
        >>> times_input(gradient)(linear, torch.tensor([[3.0, 1.0]]), torch.tensor([0]))
        tensor([[ 3., -2.]])
    """
    return combine("times_input", explain)


def _times_input(
    explain: Explain,
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    seed: int | None = None,
    index: Tensor | None = None,
) -> Tensor:
    """A method's map times the input, element by element. ``(B, C, H, W) -> (B, C, H, W)``.

    Source: arXiv:1810.03292, section 5.2; deviations: none. ``(B, 1, H, W)`` maps meet every channel.

    Args:
        model, inputs, target, score: as in `gradient`.
        seed, index: go to the method inside where it has noise.

    Returns:
        The method's units times input units; sign of the product.
    """
    private = own(model)
    check_inputs(private, inputs)
    target = (
        predict(private, inputs, score) if target is None else check_target(target, len(inputs), inputs.device, None)
    )
    given, x = guarded(explain, private, inputs.detach())
    maps = attribute(explain, given, x, target, score=score, seed=seed, index=index)
    return maps * inputs.detach()


def _times_input_spec(part: Spec | None) -> Spec:
    return replace(part or Spec(), channels=True, signed=True, complete=False, needs=frozenset())


COMBINATORS["times_input"] = Combinator(_times_input, _times_input_spec)
