"""Calling a method, ours or anyone's, with the checks that every caller would otherwise repeat."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, ModelError, NotApplicable
from ..score import logit
from ..types import Explain, Score, name_of, spec_of
from .model import check_inputs, own


def attribute(
    explain: Explain,
    model: nn.Module,
    inputs: Tensor,
    target: Tensor,
    *,
    score: Score,
    seed: int | None = None,
    index: Tensor | None = None,
) -> Tensor:
    """The maps of any method: ``(B, C, H, W)`` or ``(B, 1, H, W)``, with a leading K for ``(K, B)`` targets.

    A callable without a `Spec` is called as ``explain(model, inputs, target)``, once for each class, on a fresh copy of the
    inputs (it may read their .grad, to which each backward adds), and its maps keep no graph. Methods with noise
    get `seed` and `index` where they are given. The logit, everyone's default, gives way to the score that a method's
    own paper explains (`Spec.score`).

    Raises:
        ModelError: a map of another shape.
    """
    spec = spec_of(explain)
    if spec is None:
        rows = [_foreign(explain, model, inputs, row) for row in target.reshape(-1, target.shape[-1])]
        return torch.stack(rows) if target.dim() == 2 else rows[0]
    options: dict[str, Any] = {"score": spec.score if spec.score is not None and score is logit else score}
    if spec.noise and index is not None:
        options["index"] = index
    if (
        spec.noise and seed is not None and "seed" not in dict(getattr(explain, "options", ()))
    ):  # the caller's own stands
        options["seed"] = seed
    return _checked(explain, explain(model, inputs, target, **options), inputs, target.dim() - 1)


def _foreign(explain: Explain, model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    maps = explain(model, inputs.detach().clone(), target)
    return _checked(explain, maps, inputs).detach().clone()


def guarded(explain: Explain, model: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor]:
    """What a method is given: a callable of the user's gets copies, so that whatever it does to model or images harms
    neither the user's own nor the methods after it."""
    if spec_of(explain) is not None:
        return model, inputs
    return copy.deepcopy(model), inputs.clone()


def without_model(model: nn.Module, inputs: Tensor, target: Any, maps: Tensor) -> Tensor:
    """The maps of a control that never runs the model, under the same contract: no training mode, (K, B) targets."""
    own(model)
    if target is None:
        return maps
    target = torch.as_tensor(target)
    if target.dtype != torch.int64 or target.shape[-1:] != inputs.shape[:1] or target.dim() > 2:
        raise InputError(
            f"target has dtype {target.dtype} and shape {tuple(target.shape)}; expected int64 ({len(inputs)},) or "
            f"(K, {len(inputs)})"
        )
    return maps.expand(len(target), *maps.shape).clone() if target.dim() == 2 else maps


def check_image(inputs: Tensor, name: str) -> None:
    """Raise where a method that needs height and width gets anything else."""
    check_inputs(nn.Identity(), inputs)
    if inputs.dim() != 4:
        raise NotApplicable(f"{name} needs images (B, C, H, W), got inputs of shape {tuple(inputs.shape)}")


def _checked(explain: Explain, maps: Any, inputs: Tensor, lead: int = 0) -> Tensor:
    name = name_of(explain)
    if not isinstance(maps, Tensor):
        raise ModelError(f"{name} returned a {type(maps).__name__}; expected a tensor of maps")
    shape = maps.shape[lead:]
    fits = shape == inputs.shape or (inputs.dim() == 4 and shape == (len(inputs), 1, *inputs.shape[2:]))
    if not fits:
        raise ModelError(
            f"{name} returned maps of shape {tuple(maps.shape)} for inputs of shape {tuple(inputs.shape)}; expected the "
            "shape of the inputs, or (B, 1, H, W)"
        )
    return maps.contiguous()  # of a network in channels last they are not, and files and views want it


def like_inputs(given: Any, x: Tensor, name: str = "baseline") -> Tensor:
    """A baseline or a fill as a tensor like the inputs: a number, ``(C, 1, 1)``, or one like the inputs already."""
    try:
        found = torch.as_tensor(given, dtype=x.dtype, device=x.device).detach().expand_as(x)
    except (RuntimeError, TypeError, ValueError, OverflowError):
        shown = f"of shape {tuple(given.shape)}" if isinstance(given, Tensor) else repr(given)
        raise InputError(
            f"{name} {shown} does not broadcast to inputs of shape {tuple(x.shape)}; give a number, (C, 1, 1), or a "
            "tensor like the inputs"
        ) from None
    if not found.isfinite().all():
        raise InputError(f"{name} has NaN or infinite values; give finite numbers in the model's units")
    return found
