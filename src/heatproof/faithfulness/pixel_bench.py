"""The bench "pixel": pixel perturbation of every method's maps, under several fills and in both orders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product

from torch import Tensor

from ..checks.subject import Record
from ..data.streamed import held
from ..engine.chunks import padded
from ..engine.model import output
from ..errors import InputError
from .fills import FILLS, filler, mean_colour
from .kind import Batch, Bench, Found, Kind, Measure, batch_of
from .probe import measured
from .ranks import tied_share
from .removal import (
    FRACTIONS,
    UNIT_HELP,
    UNITS,
    Order,
    Perturbation,
    check_options,
    curve,
    everything,
    perturbation,
    reading,
    unit_of,
)  # fmt: skip


@dataclass(frozen=True)
class PixelOptions:
    """What the bench "pixel" removes."""

    fills: tuple[str, ...] = field(
        default=("black",), metadata={"help": f"what removed pixels become, of {', '.join(FILLS)}"}
    )
    orders: tuple[str, ...] = field(
        default=("least", "most"), metadata={"help": "which pixels go first: least salient, most salient"}
    )
    fractions: tuple[float, ...] = field(default=FRACTIONS, metadata={"help": "shares of pixels to remove, ascending"})
    rank: str = field(default="abs", metadata={"help": "rank pixels by sum_c |m| (abs) or sum_c m (signed)"})
    ties: str = field(
        default="exact",
        metadata={"help": "exact counts, or all pixels up to the k-th value (the authors' research code)"},
    )
    unit: str = field(default="probability", metadata={"help": UNIT_HELP, "internal": True})

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise InputError(f"unit={self.unit!r}; expected one of {', '.join(UNITS)}")
        check_options(self.fractions, self.orders, self.rank, self.ties)
        if not self.fills or len(set(self.fills)) < len(self.fills) or not set(self.fills) <= set(FILLS):
            raise InputError(f"fills={tuple(self.fills)}; expected one or more of {', '.join(FILLS)}, each once")


CURVES = {
    "change": "output change |f - f'| / |f|",
    "score": "score of the class",
    "probability": "probability of the class",
}
AREAS = {"least": "insertion", "most": "deletion"}
"""Keeping the most salient pixels longest is inserting them first into the filled image, read backwards."""


def _measures(options: PixelOptions) -> dict[str, Measure]:
    return dict(
        [*_sums(options), *_curves(options), ("ties", Measure("share of pixels in ties, whose order is random"))]
    )


def _sums(options: PixelOptions) -> Iterator[tuple[str, Measure]]:
    for fill in options.fills:
        for order in options.orders:
            title = f"mean output change |f - f'| / |f| over all fractions, {order} salient removed first, {fill}"
            yield f"change_area:{order}:{fill}", Measure(title, _better("change", order))
        for order in options.orders:
            better = _better(options.unit, order)
            yield f"{AREAS[order]}:{fill}", Measure(f"{AREAS[order]} area ({options.unit}), {fill}", better)
        if len(options.orders) == 2:
            yield f"gap:{fill}", Measure(f"insertion - deletion area ({options.unit}), {fill}", "higher")


def _curves(options: PixelOptions) -> Iterator[tuple[str, Measure]]:
    for fill, order, name in product(options.fills, options.orders, _names(options)):
        title = f"{CURVES[name]}, {order} salient removed, {fill}"
        yield f"{name}:{order}:{fill}", Measure(title, _better(name, order), curve=True)


def _names(options: PixelOptions) -> list[str]:
    """Curves that there are: an output without classes has no probability."""
    return [name for name in CURVES if name != "probability" or options.unit == name]


def _better(name: str, order: str) -> str:
    """A good map's least salient pixels change nothing, its most salient ones everything."""
    return "lower" if (name == "change") == (order == "least") else "higher"


def work(bench: Bench, shard: list[int]) -> Record:
    """The measures of every method on a shard; all orders share the outputs of the whole and of the filled images."""
    s, o, batch = bench.subject, bench.options, batch_of(bench, shard)
    mean = mean_colour(held(s.images)) if "mean" in o.fills else None
    fills = {f: filler(f, batch.x, black=s.black, mean=mean, seed=s.seed, index=batch.index) for f in o.fills}

    def read(x: Tensor) -> Tensor:
        return reading(output(s.model, x, s.score), batch.target, s.score)

    original, emptied = read(batch.x), {name: read(fill(everything(batch.x))) for name, fill in fills.items()}

    def measure(method: str, maps: Tensor, same: Batch) -> Found:
        order, ties = Order(maps, o.rank, o.ties, s.seed, same.index), tied_share(maps, o.rank)
        found: dict[tuple[str, int], Tensor] = {("ties", 0): ties}
        for fill, which in product(fills, o.orders):
            steps = curve(read, fills[fill], order, which, o.fractions, original, emptied[fill])
            found |= _found(perturbation(steps, o.fractions, ties, o.unit), which, fill, o)
        if len(o.orders) == 2:
            found |= {(f"gap:{f}", 0): found[f"insertion:{f}", 0] - found[f"deletion:{f}", 0] for f in fills}
        return found

    return measured(bench, shard, measure)


def _found(p: Perturbation, which: str, fill: str, options: PixelOptions) -> Found:
    once = {(f"change_area:{which}:{fill}", 0): p.change_area, (f"{AREAS[which]}:{fill}", 0): p.area}
    curves = {
        (f"{name}:{which}:{fill}", stage): values
        for name in _names(options)
        for stage, values in enumerate(getattr(p, name), 1)
    }
    return once | curves


def prepare(bench: Bench) -> Bench:
    """The bench with the unit of its areas, which is the same for all images."""
    s = bench.subject
    unit = unit_of(output(s.model, padded(s.images[:1], s.chunk), s.score), s.score)
    return replace(bench, options=replace(bench.options, unit=unit))


KIND = Kind(
    name="pixel",
    title="Pixel perturbation",
    about=(
        "Pixels are replaced in the order of a map, and the output of the explained class is read again. Least salient "
        "first, a good map changes the output little; most salient first, much, but scattered holes do that in any order: "
        "compare with the random map. Sparse maps tie most pixels at 0, and the order of those is random: see ties. No "
        "fill is neutral: trust what holds under several."
    ),
    source="FullGrad paper (arXiv:1905.00780), section 5.1; areas: RISE (arXiv:1806.07421); road: arXiv:2202.00449",
    work=work,
    options=PixelOptions,
    measures=_measures,
    levels=lambda options: tuple(options.fractions),
    axis="share of pixels removed",
    prepare=prepare,
)
