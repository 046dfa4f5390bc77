"""Inputs and targets in the forms that captum takes."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from .errors import InputError
from .score import value
from .types import Score


def single(given: Any) -> Tensor:
    """The one tensor of inputs that captum may wrap into a tuple."""
    if isinstance(given, tuple):
        if len(given) != 1:
            raise InputError(f"got a tuple of {len(given)} tensors; methods of ours explain a model of one input")
        (given,) = given
    if not isinstance(given, Tensor):
        raise InputError(f"got a {type(given).__name__}; expected a tensor (B, C, H, W)")
    return given


def _is_class(given: Any) -> bool:
    """A whole number; True is none, though Python takes it for 1."""
    return isinstance(given, Integral) and not isinstance(given, bool)


def classes_of(target: Any, x: Tensor, score: Score) -> Tensor:
    """captum's forms of a target as int64 ``(B,)``."""
    if target is None and score is value:
        return torch.zeros(len(x), dtype=torch.int64, device=x.device)
    if isinstance(target, Tensor):
        whole = not (target.is_floating_point() or target.is_complex() or target.dtype == torch.bool)
    else:
        whole = all(map(_is_class, target)) if isinstance(target, list) else _is_class(target)
    if whole:
        found = torch.as_tensor(target, dtype=torch.int64, device=x.device)
        if found.numel() == 1 or found.shape == (len(x),):
            return found.reshape(-1).expand(len(x))
    got = f"{target.dtype} {tuple(target.shape)}" if isinstance(target, Tensor) else repr(target)
    raise InputError(
        f"target={got} for {len(x)} inputs; expected the class to explain: an int, a list of {len(x)} ints or an int64 "
        f"tensor ({len(x)},), of a model that returns (B, classes); for the predicted ones target=model(inputs).argmax(1)"
    )
