"""How networks are retrained: one table of settings with their defaults, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..errors import InputError
from ..types import Explain
from .ranks import DIRECTIONS, RANKS
from .rectgrad_code import is_rectgrad
from .retrain_types import check_types

CONTROLS = ("random", "edge", "blurred", "mask")
NO_FACTORY = (
    "factory=None; networks are trained anew, so give factory=, a function that makes one with random weights: "
    "factory=MyNetwork, or factory=lambda: MyNetwork(classes=10)"
)


@dataclass(frozen=True)
class RetrainSettings:
    """The settings of `roar` and `kar`, each given by its name.

    Attributes:
        factory: makes a fresh random network of the classifier to retrain, ``factory() -> nn.Module``; needed.
        maps: precomputed maps as further entries: name to (of train, of test images), ``(N, C or 1, H, W)``.
        fractions: of pixels, removed by "roar", kept by "kar"; between 0 and 1, rising.
        networks: retrained for each point, the same first weights and order of data for all entries and fractions.
        controls: "random" and "edge": maps that know no network. "blurred": every method's map blurred with sigma
            side / 16, whether only the coarse place counts. "mask": networks that see the mask of every method alone,
            what its shape gives away.
        rank: "abs", "signed" or "positive" (see `ranks`); "parity": as the RectGrad paper's code, "positive" for RectGrad
            and what is made of it, "signed" for all else (semantics.md, 2.S3).
        fill: of removed pixels: "mean" of each channel of the training images, or a number or ``(C,)`` in model units.
        epochs, batch, lr, optimizer, weight_decay, schedule, bf16: as in `heatproof.train.train`.
        chunk: images explained in one pass; None for 64, on CUDA for up to 512 small ones. threads: of a job. Both are part
            of the result.
        workers: processes side by side on a CPU; None for cores // threads. More than one need a script that does its work
            under ``if __name__ == "__main__"``, and factory, network and methods of a module.
        stack: networks trained at once; None for all of an entry and direction on CUDA, 1 on a CPU, and where the networks
            cannot be.
        device: "auto" takes CUDA where there is one.
        seed: of all randomness.
        out: the run folder; None for ``runs/roar`` or ``runs/kar``.
        about: what the report prints: model, dataset, command, warnings, preset, reduced, published.
        directions: of "roar" and "kar".
    """

    factory: Callable[[], nn.Module] | None = None
    maps: Mapping[str, tuple[Tensor, Tensor]] | None = None
    fractions: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9)
    networks: int = 3
    controls: Sequence[str] = ("random", "edge")
    rank: str = "abs"
    fill: str | float | Tensor = "mean"
    epochs: int = 20
    batch: int = 100
    lr: float = 1e-3
    optimizer: str = "adam"
    weight_decay: float = 0.0
    schedule: str | None = None
    bf16: bool | str = "auto"
    chunk: int | None = None
    threads: int = 1
    workers: int | None = 1
    stack: int | None = None
    device: str = "auto"
    seed: int = 0
    out: str | Path | None = None
    about: Mapping[str, Any] | None = None
    directions: Sequence[str] = ("roar",)

    def __post_init__(self) -> None:
        self.network  # noqa: B018  (raises)
        check_types(self)
        f = list(self.fractions)
        if not f or f != sorted(set(f)) or not all(0 < p < 1 for p in f):
            raise InputError(
                f"fractions={tuple(f)}; expected rising numbers over 0 and under 1, such as (0.1, 0.5, 0.9)"
            )
        for what, given, allowed in (
            ("controls", self.controls, CONTROLS),
            ("directions", self.directions, DIRECTIONS),
        ):
            if isinstance(given, str) or set(given) - set(allowed) or len(set(given)) < len(given):
                raise InputError(f"{what}={given!r}; expected a tuple, each at most once, of {', '.join(allowed)}")
        if not self.directions or self.rank not in (*RANKS, "parity"):
            raise InputError(
                f"directions={self.directions!r}, rank={self.rank!r}; expected at least one direction, and a rank of "
                f"{', '.join(RANKS)}, parity"
            )
        if isinstance(self.fill, str) and self.fill != "mean":
            raise InputError(f"fill={self.fill!r}; expected 'mean', a number, or a (C,) tensor in the model's units")
        for what in ("networks", "chunk", "threads", "workers", "stack"):
            number = getattr(self, what)
            if number is not None and (type(number) is not int or number < 1):
                raise InputError(f"{what}={number!r}; expected a whole number of at least 1")

    @property
    def network(self) -> Callable[[], nn.Module]:
        """The factory, which `__post_init__` asks for."""
        if self.factory is None:
            raise InputError(NO_FACTORY)
        return self.factory

    @property
    def folder(self) -> Path:
        return Path("runs", self.directions[0]) if self.out is None else Path(self.out)

    def rule(self, explain: Explain | None) -> str:
        """How the maps of a method are ranked, or those that were precomputed (None)."""
        if self.rank != "parity":
            return self.rank
        return "positive" if explain is not None and is_rectgrad(explain) else "signed"


def retrain_settings(given: Mapping[str, Any]) -> RetrainSettings:
    """Settings from keywords; `InputError` for one that does not exist."""
    known = [f.name for f in fields(RetrainSettings)]
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=3) or known
            raise InputError(f"roar and kar have no setting {name!r}; did you mean {', '.join(near)}?")
    return RetrainSettings(**given)
