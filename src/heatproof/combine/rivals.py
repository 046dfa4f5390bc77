"""Which classes compete, as the caller names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError


def listed(classes: Any) -> int | tuple[int, ...] | None:
    """Classes as the caller gave them, NumPy's and tensors too, in Python's own numbers: hashable, with one text."""
    given = _python(classes)
    if given is None:
        return None
    numbered = type(given) is int
    each = range(given) if numbered else tuple(map(_python, given)) if isinstance(given, (list, tuple, range)) else ()
    if not each or not all(type(c) is int and c >= 0 for c in each):
        raise InputError(f"compete(classes={classes!r}): expected None, a number of classes, or a tuple of classes")
    return given if numbered else tuple(each)


def _python(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def rivals_of(classes: int | Sequence[int] | None, limit: int | None) -> Tensor:
    """The classes that compete, each once. int64 ``(n,)``."""
    chosen = listed(classes)
    if chosen is None:
        if limit is None:
            raise InputError(
                "compete cannot count the classes of this model (its output is no (B, classes) tensor); give classes=, "
                "a number or a tuple of classes"
            )
        return torch.arange(limit)
    each = tuple(range(chosen)) if isinstance(chosen, int) else chosen
    if limit is not None and max(each) >= limit:
        raise InputError(f"compete(classes={classes!r}): the model has {limit} classes, 0 to {limit - 1}")
    return torch.tensor(list(dict.fromkeys(each)))
