"""How the stages of a randomisation are made: blocks, draws and the batch-norm policy, and one twin for each stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from ..engine.chunks import generator
from ..engine.model import own
from ..engine.twin import eager, tensors, twin
from ..errors import InputError, ModelError
from .batch_norm import reestimate, reset_value
from .biases import is_bias, with_biases
from .blocks import Block, automatic_blocks, given_blocks, order_of_use
from .draws import STATISTICS, Draws, draw
from .initialisers import CONSTANT, is_uniform


@dataclass(frozen=True)
class Plan:
    """What the stages of a randomisation have in common."""

    model: nn.Module
    blocks: list[Block]
    draws: Callable[[int], Draws]
    batch_norm: str
    calibration: Tensor | None
    unused: frozenset[str]
    statistics: MutableMapping[int, dict[str, Tensor]] = field(default_factory=dict)


def make_plan(
    model: nn.Module,
    init: str | Mapping[str, Tensor],
    std: float,
    blocks: Sequence[Block | str] | None,
    batch_norm: str,
    calibration: Tensor | None,
    which: str,
    seed: int,
    factory: Callable[[], nn.Module] | None,
    fresh: bool,
) -> Plan:
    """See `heatproof.checks.randomize.randomize`; fresh: other draws at each stage."""
    model = eager(model)
    own(model)  # refuses training mode
    used = order_of_use(model, calibration)
    parts = given_blocks(model, blocks, used) if blocks is not None else automatic_blocks(model, used)
    given = {} if isinstance(init, str) else init
    has_norm = any(n.endswith(STATISTICS) and n not in given for n in tensors(model))
    if calibration is None and batch_norm == "reestimate" and has_norm and which == "all":
        raise InputError(
            "the model has batch norm, and batch_norm='reestimate' needs calibration=, a batch of images in the model's "
            "units; or choose batch_norm='keep' or 'reset'"
        )
    if which == "biases":
        parts, batch_norm = with_biases(parts), "keep"

    @lru_cache(maxsize=1)
    def drawn(position: int) -> Draws:
        """The new values at a stage; nested draws are those of position 0 at all of them."""
        found = draw(model, init, std, stage_seed(seed, position), factory)
        return found if which == "all" else _biases(found, model)

    return Plan(model, parts, drawn if fresh else lambda _: drawn(0), batch_norm, calibration, frozenset(used.unused))


def stage_seed(seed: int, position: int) -> int:
    """The seed of a stage's own draws; position 0, for nested draws, is the seed itself."""
    return generator("stage", seed, position).initial_seed() % 2**31 if position else seed


def _biases(draws: Draws, model: nn.Module) -> Draws:
    return Draws({n: draws.values[n] for n, _ in model.named_parameters() if is_bias(n)}, draws.source)


def make_stage(plan: Plan, position: int, chosen: list[Block], share: float) -> tuple[nn.Module, Any]:
    """The twin of a stage, the chosen blocks with a share of new values; and what it says of the calibration batch where
    it ran on it, else None.

    Raises:
        ModelError: something original would be left in them.
    """
    draws = plan.draws(position)
    held = tensors(plan.model)
    names = [n for b in chosen for n in b.tensors]
    replace = {n: _mixed(held[n], draws.values[n], share) for n in names if n in draws.values}
    statistics = [n for n in names if n.endswith(STATISTICS) and n not in replace and plan.batch_norm != "keep"]
    reset = {n: _mixed(held[n], reset_value(n, held[n]), share) for n in statistics}
    known, said = plan.statistics.get(position), None
    seen = {n for n in statistics if n not in plan.unused}
    if known is None and plan.batch_norm == "reestimate" and seen and plan.calibration is not None:
        # on a twin of its own: the forward may write to other buffers as well, and a stage with known statistics runs none
        trial = twin(plan.model, replace | reset, own_buffers=True)
        said = reestimate(trial, seen, plan.calibration)
        now = tensors(trial)
        known = plan.statistics[position] = {n: now[n] for n in seen}
    stage = twin(plan.model, replace | reset | {n: t.clone() for n, t in (known or {}).items()}, own_buffers=True)
    _check_stage(plan, draws, replace, stage)
    return stage, said


def _mixed(old: Tensor, new: Tensor, share: float) -> Tensor:
    """(1 - t) old + t new; the new value itself at t = 1, and for what is no number to mix (a counter)."""
    if share == 1 or not old.is_floating_point():
        return new if isinstance(old, nn.Parameter) else new.clone()  # a forward may write to a buffer
    return torch.lerp(old.detach(), new.detach().to(old), share)


def _check_stage(plan: Plan, draws: Draws, names: Iterable[str], stage: nn.Module) -> None:
    """No original parameter may be left in a randomised block, constants aside."""
    before, after = tensors(plan.model), tensors(stage)
    for name in names:
        old, new = before[name].detach(), after[name].detach()
        exempt = draws.source[name] == CONSTANT or not isinstance(before[name], nn.Parameter) or is_uniform(old)
        if not exempt and torch.equal(old, new):
            raise ModelError(
                f"{name!r} is unchanged after randomisation by {draws.source[name]!r}; choose init='trunc_normal'"
            )
