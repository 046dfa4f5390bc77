"""What no randomisation reaches, to be told of."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..engine.twin import tensors
from .draws import STATISTICS, Draws


def fixed_buffers(model: nn.Module, draws: Draws) -> list[str]:
    """Floating-point buffers that no randomisation changes: constants, or something learned that is no parameter."""
    kept = {n: t for n, t in tensors(model).items() if n not in draws.values and not n.endswith(STATISTICS)}
    return [n for n, t in kept.items() if not isinstance(t, nn.Parameter) and t.is_floating_point()]


def loose_tensors(model: nn.Module) -> list[str]:
    """Attributes that hold floating-point tensors, in lists and dictionaries too, that are no parameters and no buffers."""
    known = {id(t) for t in tensors(model).values()}
    return [
        f"{path}.{key}" if path else key
        for path, module in model.named_modules()
        for key, value in vars(module).items()
        if _holds_loose(value, known) and not _derived(key, module)
    ]


def _holds_loose(value: Any, known: set[int], depth: int = 3) -> bool:
    if isinstance(value, Tensor):
        return id(value) not in known and value.is_floating_point()
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return depth > 0 and any(_holds_loose(item, known, depth - 1) for item in items)


def _derived(key: str, module: nn.Module) -> bool:
    """Whether each forward makes it anew from parameters: "weight" from "weight_g" (weight norm) or "weight_orig"."""
    return any(name.startswith(f"{key}_") for name in module._parameters)
