"""Weight randomisation (Adebayo et al. 2018, arXiv:1810.03292, section 3): a network is destroyed block by block.

Every stage is a twin of the model with new tensors in its randomised blocks; the model itself is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from ..engine.chunks import generator
from ..engine.model import own
from ..engine.twin import eager, tensors, twin
from ..errors import InputError, ModelError
from .batch_norm import POLICIES, reestimate, reset_value
from .blocks import Block, Order, automatic_blocks, given_blocks, order_of_use
from .draws import STATISTICS, Draws, draw

ORDERS = ("cascading", "reverse", "independent", "full", "graded")
DRAWS = ("nested", "fresh")
BIAS = "bias"
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
    draws: str = "nested",
) -> Iterator[Stage]:
    """The stages of a weight randomisation, one after the other.

    Source: Adebayo et al. 2018, section 3.1 (cascading: from the logits down; independent: one block at a time), and the
    older appendix's reverse order. Deviation: one draw a block and seed, so that the stages are nested; ``draws="fresh"``
    is the authors' code. Graded: the less disruptive check that the CGI paper (arXiv:1905.12152, section 5) asks for:
    (1 - t) original + t new in every block.

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
        which: "all" parameters, or "biases" alone: blocks without a bias are no stages, and running statistics stay.
        seed: together with a tensor's name it decides its new values.
        factory: makes a fresh instance with the model's own initialisation.
        keep: positions (1 to the number of stages) of the stages to yield; None yields all.
        draws: "nested": a tensor has one new value for each seed, whatever the stage; "fresh": another one at each stage.

    Raises:
        InputError, ModelError.

    Example:
        >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
        >>> [stage.blocks for stage in randomize(net)]
        [('2',), ('2', '0')]
    """
    if order not in ORDERS or batch_norm not in POLICIES or which not in ("all", "biases") or draws not in DRAWS:
        raise InputError(
            f"randomize(order={order!r}, batch_norm={batch_norm!r}, which={which!r}, draws={draws!r}); expected order in "
            f"{ORDERS}, batch_norm in {POLICIES}, which in ('all', 'biases'), draws in {DRAWS}"
        )
    plan = _plan(model, init, std, blocks, batch_norm, calibration, which, seed, factory, draws == "fresh")
    return _stages(plan, order, keep)


def stage_names(order: str, blocks: Sequence[Block], which: str = "all") -> list[tuple[str, float]]:
    """Name and randomised share (of the blocks; of every weight, for graded) of each stage, without making any."""
    parts = _with_biases(blocks) if which == "biases" else list(blocks)
    return [
        (name, share if order == "graded" else len(chosen) / len(parts)) for name, chosen, share in _steps(parts, order)
    ]


def _stages(plan: _Plan, order: str, keep: Sequence[int] | None) -> Iterator[Stage]:
    for position, (name, chosen, share) in enumerate(_steps(plan.blocks, order), start=1):
        if keep is None or position in keep:
            draws = plan.draws(position)
            stage = _stage(plan, draws, chosen, share)
            _check_stage(plan, draws, chosen, stage)
            yield Stage(name, tuple(b.name for b in chosen), stage)


def _steps(blocks: list[Block], order: str) -> list[tuple[str, list[Block], float]]:
    """Name, randomised blocks and share of new weights of each stage."""
    if order == "graded":
        return [(f"{t:g}", list(reversed(blocks)), t) for t in GRADES]
    return [(name, chosen, 1.0) for name, chosen in _sequence(blocks, order)]


@dataclass(frozen=True)
class _Plan:
    model: nn.Module
    blocks: list[Block]
    draws: Callable[[int], Draws]
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
    fresh: bool,
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
    if which == "biases":
        parts, batch_norm = _with_biases(parts), "keep"

    @lru_cache(maxsize=1)
    def drawn(position: int) -> Draws:
        """The new values at a stage; nested draws are those of position 0 at all of them."""
        found = draw(model, init, std, stage_seed(seed, position), factory)
        return _biases(found) if which == "biases" else found

    return _Plan(model, parts, drawn if fresh else lambda _: drawn(0), batch_norm, calibration, frozenset(used.unused))


def stage_seed(seed: int, position: int) -> int:
    """The seed of a stage's own draws; position 0, for nested draws, is the seed itself."""
    return generator("stage", seed, position).initial_seed() % 2**31 if position else seed


def _with_biases(blocks: Sequence[Block]) -> list[Block]:
    """The blocks reduced to their biases; those without one are left out."""
    reduced = [Block(b.name, tuple(n for n in b.tensors if n.endswith(BIAS))) for b in blocks]
    found = [b for b in reduced if b.tensors]
    if not found:
        raise InputError("which='biases': the model has no parameter called bias; randomise all with which='all'")
    return found


def _biases(draws: Draws) -> Draws:
    return Draws({n: t for n, t in draws.values.items() if n.endswith(BIAS)}, draws.source)


def _sequence(blocks: list[Block], order: str) -> list[tuple[str, list[Block]]]:
    """Name and randomised blocks of each stage."""
    if order == "full":
        return [("all", list(reversed(blocks)))]
    if order == "independent":
        return [(b.name, [b]) for b in reversed(blocks)]
    walk = list(blocks if order == "reverse" else reversed(blocks))
    return [(b.name, walk[: i + 1]) for i, b in enumerate(walk)]


def _stage(plan: _Plan, draws: Draws, chosen: list[Block], share: float) -> nn.Module:
    held = tensors(plan.model)
    names = [n for b in chosen for n in b.tensors]
    replace = {n: _mixed(held[n], draws.values[n], share) for n in names if n in draws.values}
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


def _check_stage(plan: _Plan, draws: Draws, chosen: list[Block], stage: nn.Module) -> None:
    """Nothing original may be left in a randomised block, constants aside."""
    before, after = tensors(plan.model), tensors(stage)
    for name in (n for b in chosen for n in b.tensors if n in draws.values):
        old, new = before[name].detach(), after[name].detach()
        constant = draws.source[name] == "constant" or bool((old == old.flatten()[0]).all())
        if not constant and torch.equal(old, new):
            raise ModelError(
                f"{name!r} is unchanged after randomisation by {draws.source[name]!r}; choose init='trunc_normal'"
            )


def blocks_of(
    model: nn.Module, calibration: Tensor | None = None, blocks: Sequence[Block | str] | None = None
) -> list[Block]:
    """The blocks that `randomize` works on, nearest to the input first."""
    used: Order = order_of_use(model, calibration)
    return given_blocks(model, blocks, used) if blocks is not None else automatic_blocks(model, used)
