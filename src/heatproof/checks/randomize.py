"""Weight randomisation (Adebayo et al. 2018, arXiv:1810.03292, section 3): a network is destroyed block by block.

Every stage is a twin of the model with new tensors in its randomised blocks; the model itself is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..engine.model import own
from ..engine.twin import eager, tensors, twin
from ..errors import InputError, ModelError
from .batch_norm import POLICIES, reestimate, reset_value
from .blocks import Block, Order, automatic_blocks, given_blocks, order_of_use
from .draws import STATISTICS, Draws, draw

ORDERS = ("cascading", "reverse", "independent", "full", "graded")
GRADES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
"""Shares of the new weights in the stages of "graded"."""


@dataclass(frozen=True)
class Stage:
    """One step of a randomisation.

    Attributes:
        name: the block that this stage adds (or the only one, for independent); the share of new weights, for graded.
        blocks: all blocks that are randomised in it, in the order in which they were.
        model: a twin of the user's model, sharing all unchanged tensors; an ``nn.Module`` that anything can take.
    """

    name: str
    blocks: tuple[str, ...]
    model: nn.Module


def randomize(
    model: nn.Module,
    order: str = "cascading",
    init: str | Mapping[str, Tensor] = "original",
    std: float = 0.01,
    blocks: Sequence[Block | str] | None = None,
    batch_norm: str = "reestimate",
    calibration: Tensor | None = None,
    which: str = "all",
    seed: int = 0,
    *,
    factory: Callable[[], nn.Module] | None = None,
    keep: Sequence[int] | None = None,
) -> Iterator[Stage]:
    """The stages of a weight randomisation, one after the other.

    Source: Adebayo et al. 2018, section 3.1 (cascading: from the logits down; independent: one block at a time), and the
    older appendix's reverse order. Deviation: one draw a block and seed, so that the stages are nested. Graded: the less
    disruptive check that the CGI paper (arXiv:1905.12152, section 5) asks for: (1 - t) original + t new in every block.

    Args:
        model: in evaluation mode; not touched.
        order: "cascading", "reverse", "independent", "full" (one stage, everything new), or "graded" (everything mixed with
            a share t of new weights, one stage for each t of `GRADES`, .05 to 1).
        init: see `heatproof.checks.draws.draw`.
        std: for "trunc_normal" and "uniform".
        blocks: `Block`s or module prefixes in the order of the forward pass; None makes them automatically.
        batch_norm: running statistics of the randomised blocks: "reestimate" on `calibration`, "keep", or "reset".
        calibration: a batch ``(N, C, H, W)`` in the model's units, for the order of first use and for batch norm; None
            takes the order of registration.
        which: "all" parameters, or "biases" alone (running statistics stay).
        seed: together with a tensor's name it decides its new values.
        factory: makes a fresh instance with the model's own initialisation.
        keep: positions (1 to the number of stages) of the stages to yield; None yields all.

    Raises:
        InputError, ModelError.

    Example:
        >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
        >>> [stage.blocks for stage in randomize(net)]
        [('2',), ('2', '0')]
    """
    if order not in ORDERS or batch_norm not in POLICIES or which not in ("all", "biases"):
        raise InputError(
            f"randomize(order={order!r}, batch_norm={batch_norm!r}, which={which!r}); expected order in {ORDERS}, "
            f"batch_norm in {POLICIES}, which in ('all', 'biases')"
        )
    plan = _plan(model, init, std, blocks, batch_norm, calibration, which, seed, factory)
    return _stages(plan, order, keep)


def _stages(plan: _Plan, order: str, keep: Sequence[int] | None) -> Iterator[Stage]:
    if order == "graded":
        steps = [(f"{t:g}", list(reversed(plan.blocks)), t) for t in GRADES]
    else:
        steps = [(name, chosen, 1.0) for name, chosen in _sequence(plan.blocks, order)]
    for position, (name, chosen, share) in enumerate(steps, start=1):
        if keep is None or position in keep:
            stage = _stage(plan, chosen, share)
            _check_stage(plan, chosen, stage)
            yield Stage(name, tuple(b.name for b in chosen), stage)


@dataclass(frozen=True)
class _Plan:
    model: nn.Module
    blocks: list[Block]
    draws: Draws
    batch_norm: str
    calibration: Tensor | None
    unused: frozenset[str]


def _plan(
    model: nn.Module,
    init: str | Mapping[str, Tensor],
    std: float,
    blocks: Sequence[Block | str] | None,
    batch_norm: str,
    calibration: Tensor | None,
    which: str,
    seed: int,
    factory: Callable[[], nn.Module] | None,
) -> _Plan:
    model = eager(model)
    own(model)  # refuses training mode
    used = order_of_use(model, calibration)
    parts = given_blocks(model, blocks, used) if blocks is not None else automatic_blocks(model, used)
    has_norm = any(n.endswith(STATISTICS) for n in tensors(model))
    if calibration is None and batch_norm == "reestimate" and has_norm and which == "all":
        raise InputError(
            "the model has batch norm, and batch_norm='reestimate' needs calibration=, a batch of images in the model's "
            "units; or choose batch_norm='keep' or 'reset'"
        )
    draws = draw(model, init, std, seed, factory)
    if which == "biases":
        draws = Draws({n: t for n, t in draws.values.items() if n.endswith("bias")}, draws.source)
        batch_norm = "keep"
    return _Plan(model, parts, draws, batch_norm, calibration, frozenset(used.unused))


def _sequence(blocks: list[Block], order: str) -> list[tuple[str, list[Block]]]:
    """Name and randomised blocks of each stage."""
    if order == "full":
        return [("all", list(reversed(blocks)))]
    if order == "independent":
        return [(b.name, [b]) for b in reversed(blocks)]
    walk = list(blocks if order == "reverse" else reversed(blocks))
    return [(b.name, walk[: i + 1]) for i, b in enumerate(walk)]


def _stage(plan: _Plan, chosen: list[Block], share: float) -> nn.Module:
    held = tensors(plan.model)
    names = [n for b in chosen for n in b.tensors]
    replace = {n: _mixed(held[n], plan.draws.values[n], share) for n in names if n in plan.draws.values}
    statistics = [n for n in names if n.endswith(STATISTICS)] if plan.batch_norm != "keep" else []
    replace |= {n: _mixed(held[n], reset_value(n, held[n]), share) for n in statistics}
    stage = twin(plan.model, replace, own_buffers=True)  # calibration may write to them
    seen = {n for n in statistics if n not in plan.unused}
    if plan.batch_norm == "reestimate" and seen and plan.calibration is not None:
        reestimate(stage, seen, plan.calibration)
    return stage


def _mixed(old: Tensor, new: Tensor, share: float) -> Tensor:
    """(1 - t) old + t new; the new value itself at t = 1, and for what is no number to mix (a counter)."""
    if share == 1 or not old.is_floating_point():
        return new
    return torch.lerp(old.detach(), new.detach().to(old), share)


def _check_stage(plan: _Plan, chosen: list[Block], stage: nn.Module) -> None:
    """Nothing original may be left in a randomised block, constants aside."""
    before, after = tensors(plan.model), tensors(stage)
    for name in (n for b in chosen for n in b.tensors if n in plan.draws.values):
        old, new = before[name].detach(), after[name].detach()
        constant = plan.draws.source[name] == "constant" or bool((old == old.flatten()[0]).all())
        if not constant and torch.equal(old, new):
            raise ModelError(
                f"{name!r} is unchanged after randomisation by {plan.draws.source[name]!r}; choose init='trunc_normal'"
            )


def blocks_of(
    model: nn.Module, calibration: Tensor | None = None, blocks: Sequence[Block | str] | None = None
) -> list[Block]:
    """The blocks that `randomize` works on, nearest to the input first."""
    used: Order = order_of_use(model, calibration)
    return given_blocks(model, blocks, used) if blocks is not None else automatic_blocks(model, used)
