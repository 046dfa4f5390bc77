"""New weights for a randomised block: one draw for each tensor and seed, so that the stages of a cascade are nested."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..engine.chunks import generator
from ..engine.twin import tensors
from ..errors import InputError
from ..models.factory import brought, fresh
from .initialisers import CONSTANT, bare_value, value_of
from .reset import reset_values

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
    """New values for every parameter of the model, and for its buffers where `init` is a state dict that holds them.

    Args:
        model: whose parameters to replace; not touched.
        init: "original": a fresh instance from `factory` where there is one, else each module's ``reset_parameters``, else
            (bare parameters) normal with the tensor's own standard deviation; "trunc_normal": std, cut at 2 std (Sanity
            Checks, section 3.1); "uniform": the same std; "permute": the tensor's own values shuffled (a single element
            is drawn as a bare parameter, its magnitude the deviation); or a state dict, taken whole.
        seed: with the tensor's name it decides the draw, so that tensors of equal shape differ.

    Raises:
        InputError: an unknown init, a state dict that does not fit, or a factory that brings its own weights.
    """
    if isinstance(init, Mapping):
        return _from_state(tensors(model), init)
    if init not in INITS:
        raise InputError(f"init={init!r}; expected one of {', '.join(INITS)} or a state dict")
    held = {n: t for n, t in tensors(model).items() if isinstance(t, nn.Parameter)}
    if init == "original" and factory is not None:
        return _from_factory(held, factory, seed)
    own = reset_values(model, held, seed) if init == "original" else {}
    drawn = {n: _drawn(init, n, t, std, seed) for n, t in held.items() if n not in own}
    return Draws(
        own | {n: value for n, (value, _) in drawn.items()},
        dict.fromkeys(own, "reset_parameters") | {n: source for n, (_, source) in drawn.items()},
    )


def _drawn(init: str, name: str, like: Tensor, std: float, seed: int) -> tuple[Tensor, str]:
    return bare_value(name, like, seed) if init == "original" else value_of(init, name, like, std, seed)


def _from_state(held: Mapping[str, Tensor], state: Mapping[str, Tensor], source: str = "state_dict") -> Draws:
    missing = [n for n, t in held.items() if n not in state and isinstance(t, nn.Parameter)]
    wrong = [n for n in held if n in state and state[n].shape != held[n].shape]
    if missing or wrong:
        raise InputError(
            f"init as a state dict does not fit: {len(missing)} missing (first: {missing[:1]}), {len(wrong)} of another "
            f"shape (first: {wrong[:1]}); give the state_dict() of a network of the same architecture"
        )
    values = {n: state[n].detach().to(t.device, t.dtype) for n, t in held.items() if n in state}
    return Draws(values, dict.fromkeys(values, source))


def _from_factory(held: Mapping[str, Tensor], factory: Callable[[], nn.Module], seed: int) -> Draws:
    """A fresh instance; what two of them have in common (a table of positions) is a constant of the architecture."""
    models = [fresh(factory, _seed(seed, k)) for k in range(2)]
    if shared := brought(*models):
        raise InputError(
            f"factory brings its own weights: {shared[0]!r} (and {len(shared) - 1} more) is the same under two seeds, so "
            "that nothing random would replace it; leave factory out (each module's own reset_parameters then draws), or "
            "give one that builds the network without loading weights and without torch.manual_seed"
        )
    one, other = (_from_state(held, m.state_dict(), "factory") for m in models)
    same = {n for n, t in one.values.items() if torch.equal(t, other.values[n])}
    return Draws(one.values, {n: CONSTANT if n in same else "factory" for n in held})


def _seed(seed: int, number: int) -> int:
    """A seed that meets no seed of the user's: the model may come from the same factory."""
    return generator("factory", seed, number).initial_seed() % 2**31
