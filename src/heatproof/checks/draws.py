"""New weights for a randomised block: one draw for each tensor and seed, so that the stages of a cascade are nested."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..engine.chunks import generator
from ..engine.model import own
from ..engine.twin import tensors
from ..errors import InputError, ModelError
from ..models.factory import fresh, global_seed

INITS = ("original", "trunc_normal", "uniform", "permute")
STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True)
class Draws:
    """New values by name, and where each came from ("factory", "reset_parameters", "normal(own std)", "constant", ...)."""

    values: dict[str, Tensor]
    source: dict[str, str]


def draw(
    model: nn.Module,
    init: str | Mapping[str, Tensor],
    std: float,
    seed: int,
    factory: Callable[[], nn.Module] | None = None,
) -> Draws:
    """New values for every parameter of the model.

    Args:
        model: whose parameters to replace; not touched.
        init: "original": a fresh instance from `factory` where there is one, else each module's ``reset_parameters``, else
            (bare parameters) normal with the tensor's own standard deviation; "trunc_normal": std, cut at 2 std (Sanity
            Checks, section 3.1); "uniform": the same std; "permute": the tensor's own values shuffled; or a state dict.
        seed: with the tensor's name it decides the draw, so that tensors of equal shape differ.
    """
    held = {n: t for n, t in tensors(model).items() if isinstance(t, nn.Parameter)}
    if isinstance(init, Mapping):
        return _from_state(held, init)
    if init == "original":
        return _from_factory(held, factory, seed) if factory else _reset(model, held, seed)
    if init not in INITS:
        raise InputError(f"init={init!r}; expected one of {', '.join(INITS)} or a state dict")
    values = {name: _simple(init, t, std, generator("weights", seed, name)) for name, t in held.items()}
    return Draws(values, dict.fromkeys(held, init))


def fixed_buffers(model: nn.Module) -> list[str]:
    """Floating-point buffers that no randomisation changes: constants, or something learned that is no parameter."""
    return [
        n
        for n, t in tensors(model).items()
        if not isinstance(t, nn.Parameter) and t.is_floating_point() and not n.endswith(STATISTICS)
    ]


def _from_state(held: Mapping[str, Tensor], state: Mapping[str, Tensor], source: str = "state_dict") -> Draws:
    missing = [n for n in held if n not in state]
    wrong = [n for n in held if n in state and state[n].shape != held[n].shape]
    if missing or wrong:
        raise InputError(
            f"init as a state dict does not fit: {len(missing)} missing (first: {missing[:1]}), {len(wrong)} of another "
            f"shape (first: {wrong[:1]})"
        )
    return Draws({n: state[n].detach().to(t.device, t.dtype) for n, t in held.items()}, dict.fromkeys(held, source))


def _from_factory(held: Mapping[str, Tensor], factory: Callable[[], nn.Module], seed: int) -> Draws:
    """A fresh instance; what two of them have in common (a table of positions) is a constant of the architecture."""
    one, other = (_from_state(held, fresh(factory, _seed(seed, k)).state_dict(), "factory") for k in range(2))
    same = {n for n, t in one.values.items() if torch.equal(t, other.values[n])}
    return Draws(one.values, {n: "constant" if n in same else "factory" for n in held})


def _seed(seed: int, number: int) -> int:
    """A seed that meets no seed of the user's: the model may come from the same factory."""
    return generator("factory", seed, number).initial_seed() % 2**31


def _reset(model: nn.Module, held: Mapping[str, Tensor], seed: int) -> Draws:
    """Each module's own initialiser, on a copy; parameters that none of them writes are bare."""
    private = own(model)
    values: dict[str, Tensor] = {}
    source: dict[str, str] = {}
    names = {id(t): n for n, t in tensors(private).items()}
    for path, module in private.named_modules():
        reset = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
        mine = {k: names[id(p)] for k, p in module.named_parameters(recurse=False)}
        if not callable(reset) or not mine or all(n in values for n in mine.values()):
            continue
        for key, tensor in _reinitialised(module, path, seed).items():
            untouched = torch.equal(tensor, held[mine[key]]) and _spread(tensor) > 0  # not one of its own: bare
            if mine[key] not in values and not untouched:
                values[mine[key]], source[mine[key]] = tensor, "reset_parameters"
    for name, tensor in held.items():
        if name not in values:
            values[name] = _simple("normal", tensor, _spread(tensor), generator("weights", seed, name))
            source[name] = "normal(own std)" if _spread(tensor) > 0 else "constant"
            if _spread(tensor) == 0:
                values[name] = tensor.detach().clone()
    return Draws(values, source)


def _reinitialised(module: nn.Module, path: str, seed: int) -> dict[str, Tensor]:
    fresh = copy.deepcopy(module)  # private already: its tensors are shared with the user's model, the copy's are not
    with global_seed(generator("reset", seed, path).initial_seed() % 2**31), torch.no_grad():
        for parameter in fresh.parameters():
            parameter.requires_grad_(True)
        reset: Any = getattr(fresh, "reset_parameters", None) or fresh._reset_parameters
        try:
            reset()
        except Exception as error:
            raise ModelError(
                f"{type(module).__name__}.reset_parameters of {path!r} failed ({type(error).__name__}: {error}); use "
                "init='trunc_normal', or give the model's factory"
            ) from error
    return {k: p.detach() for k, p in fresh.named_parameters(recurse=False)}


def _simple(kind: str, like: Tensor, std: float, source: torch.Generator) -> Tensor:
    """A draw in the shape of a tensor; made on the CPU in float32, so that it is the same on every device."""
    new = torch.empty(like.shape, dtype=torch.float32)
    if kind == "normal":
        new.normal_(0, std, generator=source)
    elif kind == "trunc_normal":
        nn.init.trunc_normal_(new, 0, std, -2 * std, 2 * std, generator=source)  # the bounds are absolute
    elif kind == "uniform":
        new.uniform_(-std * 3**0.5, std * 3**0.5, generator=source)
    else:
        shuffled = torch.randperm(like.numel(), generator=source)
        while like.numel() > 1 and torch.equal(shuffled, torch.arange(like.numel())):
            shuffled = torch.randperm(
                like.numel(), generator=source
            )  # two elements stay as they were every second time
        return like.detach().flatten()[shuffled.to(like.device)].view_as(like)
    return new.to(like.device, like.dtype)


def _spread(tensor: Tensor) -> float:
    return (
        float(tensor.detach().float().std(correction=0)) if tensor.numel() > 1 else float(tensor.detach().abs().sum())
    )
