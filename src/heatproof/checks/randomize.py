"""Weight randomisation (Adebayo et al. 2018, arXiv:1810.03292, section 3): a network is destroyed block by block.

Every stage is a twin of the model with new tensors in its randomised blocks; the model itself is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from ..errors import InputError
from .batch_norm import POLICIES
from .biases import with_biases
from .blocks import Block, Order, automatic_blocks, given_blocks, order_of_use
from .stage_plan import Plan, make_plan, make_stage

ORDERS = ("cascading", "reverse", "independent", "full", "graded")
DRAWS = ("nested", "fresh")
GRADES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
"""Shares of the new weights in the stages of "graded"."""


@dataclass(frozen=True)
class Stage:
    """One step of a randomisation.

    Attributes:
        name: the block that this stage adds (or the only one, for independent); the share of new weights, for graded.
        blocks: all blocks that are randomised in it, in the order in which they were.
        model: a twin of the user's model, sharing all unchanged tensors; an ``nn.Module`` that anything can take.
        said: what it returns for the calibration batch, where its statistics were re-estimated on it; else None.
    """

    name: str
    blocks: tuple[str, ...]
    model: nn.Module
    said: Any = field(default=None, repr=False, compare=False)


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
    statistics: MutableMapping[int, dict[str, Tensor]] | None = None,
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
        init: see `heatproof.checks.draws.draw`. A state dict is taken whole, running statistics and other buffers with it,
            so that the last stage is the second network.
        std: for "trunc_normal" and "uniform".
        blocks: `Block`s or module prefixes in the order of the forward pass; None makes them automatically.
        batch_norm: running statistics of the randomised blocks: "reestimate" on `calibration`, "keep", or "reset"; does not
            apply to statistics that a state dict brings.
        calibration: a batch ``(N, C, H, W)`` in the model's units, for the order of first use and for batch norm; None
            takes the order of registration.
        which: "all" parameters, or "biases" alone (`heatproof.checks.biases.is_bias`): blocks without a bias are no
            stages, and running statistics stay.
        seed: together with a tensor's name it decides its new values.
        factory: makes a fresh instance with the model's own initialisation.
        keep: positions (1 to the number of stages) of the stages to yield; None yields all.
        draws: "nested": a tensor has one new value for each seed, whatever the stage; "fresh": another one at each stage.
        statistics: re-estimated running statistics by position of the stage; what it holds is taken, what it lacks is put
            in, so that the same mapping given to the same call again saves the forward passes on `calibration`.

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
    plan = make_plan(model, init, std, blocks, batch_norm, calibration, which, seed, factory, draws == "fresh")
    if statistics is not None:
        plan = replace(plan, statistics=statistics)
    return _stages(plan, order, keep)


def stage_names(order: str, blocks: Sequence[Block], which: str = "all") -> list[tuple[str, float]]:
    """Name and randomised share (of the blocks; of every weight, for graded) of each stage, without making any."""
    parts = with_biases(blocks) if which == "biases" else list(blocks)
    return [
        (name, share if order == "graded" else len(chosen) / len(parts)) for name, chosen, share in _steps(parts, order)
    ]


def _stages(plan: Plan, order: str, keep: Sequence[int] | None) -> Iterator[Stage]:
    for position, (name, chosen, share) in enumerate(_steps(plan.blocks, order), start=1):
        if keep is None or position in keep:
            yield Stage(name, tuple(b.name for b in chosen), *make_stage(plan, position, chosen, share))


def _steps(blocks: list[Block], order: str) -> list[tuple[str, list[Block], float]]:
    """Name, randomised blocks and share of new weights of each stage."""
    if order == "graded":
        return [(f"{t:g}", list(reversed(blocks)), t) for t in GRADES]
    return [(name, chosen, 1.0) for name, chosen in _sequence(blocks, order)]


def _sequence(blocks: list[Block], order: str) -> list[tuple[str, list[Block]]]:
    """Name and randomised blocks of each stage."""
    if order == "full":
        return [("all", list(reversed(blocks)))]
    if order == "independent":
        return [(b.name, [b]) for b in reversed(blocks)]
    walk = list(blocks if order == "reverse" else reversed(blocks))
    return [(b.name, walk[: i + 1]) for i, b in enumerate(walk)]


def blocks_of(
    model: nn.Module, calibration: Tensor | None = None, blocks: Sequence[Block | str] | None = None
) -> list[Block]:
    """The blocks that `randomize` works on, nearest to the input first."""
    used: Order = order_of_use(model, calibration)
    return given_blocks(model, blocks, used) if blocks is not None else automatic_blocks(model, used)
