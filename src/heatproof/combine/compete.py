"""Competition between classes for pixels: CGI and CLRP (Gupta, Arora 2019, arXiv:1905.12152)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..engine.call import attribute, guarded
from ..engine.chunks import chunk_slices, sample_places
from ..engine.model import check_inputs, output, own
from ..engine.sharing import shared_passes
from ..errors import InputError
from ..score import check_target, logit, predicted
from ..score import classes as classes_of
from ..types import Explain, Score, Spec, needs_of, spec_of
from .composed import COMBINATORS, Combinator, Composed, combine
from .contest import Rows, contest
from .head import ROWS, Head, linear_head
from .rivals import listed, rivals_of


def compete(
    explain: Explain,
    classes: int | Sequence[int] | None = None,
    chunk: int = 16,
    center: bool = False,
    shortcut: bool = True,
) -> Composed:
    """Any method's map with only those values that no other class beats: CGI of gradient_x_input, CLRP of lrp.

    Args:
        explain: any method or callable; its map should sum to the logit, so that votes of classes compare.
        classes: who competes: None for all classes, a number n for 0 to n - 1, or their indices. The target always does.
        chunk: classes explained at once; bounds the memory, changes no result. One forward pass serves all classes where
            the method reads plain gradients; one that runs the model several times (occlusion, integrated gradients), or
            under rules of its own that cannot be shared, does so once a chunk.
        center: subtract from each class's map the mean over the classes first, so that what is added to all logits alike
            (which no softmax sees) does not count. Where the method is linear in its target this is the map of the logit
            minus the mean logit.
        shortcut: where the model ends in a linear layer with fewer features than there are classes, and the method is
            linear in its target (`Spec.linear_in_target`), explain the features once and combine their maps by its
            weights; the same up to rounding.

    Source: arXiv:1905.12152, algorithms 1 and 2.

    Example:
        >>> from heatproof import gradient_x_input
        >>> linear = nn.Linear(3, 2, bias=False).eval()
        >>> linear.weight.data = torch.tensor([[2.0, -1.0, 3.0], [1.0, -3.0, 3.0]])
        >>> compete(gradient_x_input)(linear, torch.tensor([[1.0, 2.0, -1.0]]), torch.tensor([0]))
        tensor([[ 2.,  0., -3.]])
    """
    return combine("compete", explain, classes=listed(classes), chunk=chunk, center=center, shortcut=shortcut)


def _compete(
    explain: Explain,
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    classes: int | Sequence[int] | None = None,
    chunk: int = 16,
    center: bool = False,
    shortcut: bool = True,
    seed: int | None = None,
    index: Tensor | None = None,
) -> Tensor:
    """A method's map with every value that another class beats set to 0. ``(B, C, H, W)`` as the method's own.

    Source: Gupta and Arora 2019, arXiv:1905.12152, algorithm 1: a positive value stays where no class has a larger one,
    a negative value where no class has a smaller one; ties stay. Deviations: none by default.

    Args:
        model, inputs, target, score: as in `gradient`; with ``(K, B)`` targets all rows share one set of extremes.
        classes, chunk, center, shortcut: as in `heatproof.compete`.
        seed, index: go to the method inside where it has noise, the same for every class.

    Returns:
        The method's units and signs; NaN where a class has NaN.
    """
    _check(chunk=chunk)
    private = own(model)
    check_inputs(private, inputs)
    out = output(private, inputs, score)
    limit = classes_of(out, score)
    rivals = rivals_of(classes, limit).to(inputs.device)
    chosen = predicted(out, score) if target is None else check_target(target, len(inputs), inputs.device, limit)
    rows = chosen[None] if chosen.dim() == 1 else chosen
    given, x = guarded(explain, private, inputs.detach())
    method = partial(attribute, explain, score=score, seed=seed)
    index = sample_places(index, len(x))
    linear = shortcut and score is logit and _linear(explain)
    head = linear_head(private, x, limit, len(rivals)) if linear and limit is not None else None
    found = []
    for b in chunk_slices(len(x), head.group(x) if head else len(x)):
        part = x[b]
        with shared_passes(
            needs_of(explain), part, keep_gradients=False, unplanned=True
        ):  # one forward for the chunks of all classes
            maps = _maps(method, given, part, index[b], head, chunk)
            found.append(contest(maps, rows[:, b], rivals, ROWS if head else chunk, center))
    whole = torch.cat(found, 1)
    return whole[0] if chosen.dim() == 1 else whole


def _maps(method: Any, model: nn.Module, x: Tensor, index: Tensor, head: Head | None, chunk: int) -> Rows:
    """The maps of any classes, straight from the method or by way of the features."""
    if head is None:
        return partial(method, model, x, index=index)
    return head.rows(partial(method, head.features, x, index=index), len(x), chunk)


def _linear(explain: Explain) -> bool:
    spec = spec_of(explain)
    return spec is not None and spec.linear_in_target and spec.score is None


def _check(classes: Any = None, chunk: Any = 16, **others: Any) -> None:
    del others
    listed(classes)
    if type(chunk) is not int or chunk < 1:
        raise InputError(f"compete(chunk={chunk!r}): expected a whole number of 1 or more")


def _compete_spec(part: Spec | None) -> Spec:
    known = part or Spec()
    source = "arXiv:1905.12152, algorithms 1 and 2"
    return replace(known, source=source, signed=True, linear_in_target=False, complete=False, needs=frozenset())


COMBINATORS["compete"] = Combinator(_compete, _compete_spec, _check)
