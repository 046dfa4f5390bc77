"""Models from the user's own code, and fresh instances with seeded random weights."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..data.lookup import changed, current_directory_importable, file_module, find_object, told
from ..engine.global_seed import global_seed
from ..errors import HeatproofError, InputError, ModelError

Factory = Callable[[], nn.Module]


def build(spec: str, options: dict[str, Any]) -> Factory:
    """A factory from ``package.module:name`` or ``file.py:name``: picklable, it is its text and is found again by it.

    Raises:
        InputError: nothing of that name, or nothing that can be called.
    """
    held = _content(spec)
    with global_seed(0):  # importing a module may draw numbers too
        found = find_object(spec, "a model factory")
    if isinstance(found, nn.Module) or not callable(found):
        raise InputError(
            f"{spec!r} is a {type(found).__name__}; expected a function or class that makes a torch.nn.Module "
            "(def make(): return ...), so that fresh random instances can be made"
        )
    return functools.partial(_call, spec, options, held)


def fresh(factory: Factory, seed: int) -> nn.Module:
    """A new instance whose random weights depend on the seed alone, in eval mode; no global random state is changed.

    Seeds torch (all devices), numpy and Python while the factory runs, and restores them, also after an error.
    """
    with global_seed(seed):
        return factory().eval()


def own_weights(one: nn.Module, other: nn.Module) -> bool:
    """Whether two instances built under different seeds share weights: then the factory brings its own."""
    return bool(brought(one, other))


def brought(one: nn.Module, other: nn.Module) -> list[str]:
    """Names of the weights that two instances built under different seeds share, constants of the architecture aside.

    A table of positions is such a constant: what is shared counts in modules that can draw their own weights, among
    trainable parameters where there are no such modules, and everywhere where nothing at all was drawn.
    """
    weights, others = dict(one.named_parameters()), dict(other.named_parameters())
    shared = [n for n, p in weights.items() if n in others and torch.equal(p, others[n])]
    varied = [n for n in shared if not _by_rule(weights[n].detach())]
    if len(shared) == len(weights):
        return varied
    can_draw = {id(p) for m in one.modules() if initialiser(m) for p in m.parameters(recurse=False)}
    return [n for n in varied if (id(weights[n]) in can_draw if can_draw else weights[n].requires_grad)]


def _by_rule(tensor: Tensor) -> bool:
    """Whether an initialiser that draws nothing made it: all equal, or two values (an identity, a forget gate's bias)."""
    return tensor.numel() < 2 or len(torch.unique(tensor)) <= min(2, tensor.numel() - 1)


def initialiser(module: nn.Module) -> Callable[[], Any] | None:
    """What draws a module's own weights anew, by PyTorch's convention."""
    found = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
    return found if callable(found) else None


def _content(spec: str) -> str:
    """What tells the content of a ``file.py``; "" for a module."""
    file = spec.rpartition(":")[0]
    return file_module(Path(file)) if file.endswith(".py") else ""


def _call(spec: str, options: dict[str, Any], held: str) -> nn.Module:
    if _content(spec) != held:
        raise changed(spec.rpartition(":")[0])
    factory = find_object(spec, "a model factory")
    try:
        with current_directory_importable():
            model = factory(**options)
    except HeatproofError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(f"{spec}({_text(options)}) failed: {told(error)}; mend it, or give what it needs") from error
    if not isinstance(model, nn.Module):
        raise ModelError(f"{spec}({_text(options)}) returned a {type(model).__name__}; expected a torch.nn.Module")
    return model


def _text(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in options.items())
