"""The bench of localisation: where maps lie beside masks of the object, for images whose object is not too large."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from torch import Tensor

from ..checks.subject import Record
from ..errors import InputError
from .kind import Batch, Bench, Found, Kind, Measure
from .localisation import check_rank, localisation
from .multiplied import PRODUCT_HELP, SOURCE_HELP, UNFAIR_HELP, check_source, fair, reasons, refusals
from .probe import measured


@dataclass(frozen=True)
class Localise:
    """Options of the bench."""

    rank: str = field(default="abs", metadata={"help": "order of pixels: 'abs' = sum of |m|, 'signed' = sum of m"})
    largest: float = field(
        default=1.0, metadata={"help": "measure masks of at most this share of the image; 0.25 leaves small objects"}
    )
    source: str = field(default="", metadata={"help": SOURCE_HELP, "internal": True})
    unfair: tuple[str, ...] = field(default=(), metadata={"help": UNFAIR_HELP, "internal": True})
    product: tuple[str, ...] = field(default=(), metadata={"help": PRODUCT_HELP, "internal": True})

    def __post_init__(self) -> None:
        check_rank(self.rank)
        check_source(self.source)
        if not 0 < self.largest <= 1:
            raise InputError(f"largest={self.largest}; expected a share of the image over 0 and up to 1, such as 0.25")


MEASURES = {
    "gain": Measure("(share inside - area) / (1 - area): 0 = chance, 1 = all inside", "higher"),
    "times": Measure("share of attribution inside / area (1 = chance)", "higher"),
    "mass": Measure("share of attribution inside (mass accuracy)", "higher"),
    "mass_positive": Measure("share of positive attribution inside (of grids: grid pointing game)", "higher"),
    "rank_accuracy": Measure("share of the highest pixels inside, as many as the mask has (rank accuracy)", "higher"),
    "auc": Measure("area under the ROC curve, inside against outside (0.5 = chance)", "higher"),
    "pointing": Measure("highest pixel inside (pointing game)", "higher"),
    "area": Measure("share of the image inside the mask: chance"),
}


def work(bench: Bench, shard: list[int]) -> Record:
    """The numbers of every method that the masks do not favour by construction."""
    s, refused = bench.subject, reasons(bench)
    measurable = {name: explain for name, explain in s.methods.items() if name not in refused}

    def measure(name: str, maps: Tensor, batch: Batch) -> Found:
        found = asdict(localisation(maps, needed(batch.masks), rank=bench.options.rank))
        return {(metric, 0): found[metric] for metric in MEASURES}

    record = measured(replace(bench, subject=replace(s, methods=measurable)), shard, measure)
    record.rows += refusals(bench, shard)
    return record


def prepare(bench: Bench) -> Bench:
    """The bench of the images whose mask is not larger than `largest`; methods that its masks favour are named."""
    areas = needed(bench.masks).flatten(1).double().mean(1)
    places = (areas <= bench.options.largest).nonzero().flatten().tolist()
    if not places:
        raise InputError(
            f"largest={bench.options.largest}, and the smallest mask has {float(areas.min()):.3g} of its image; give a "
            "larger share or other images"
        )
    return fair(bench if len(places) == len(areas) else bench.take(places))


def needed(masks: Tensor | None) -> Tensor:
    """The masks, which this bench cannot do without."""
    if masks is None:
        raise InputError("bench localise got no masks; give masks, True on the object, for every image")
    return masks


def _measures(options: Localise) -> Mapping[str, Measure]:
    return MEASURES


KIND = Kind(
    name="localise",
    title="Localisation",
    about=(
        "How much attribution lies on the object, beside what a random map has there (the area). A network may look at the "
        "background with good reason, and any method scores well on objects that fill the image: read small masks "
        "(largest), or grids of images, where the cell of the explained class is known."
    ),
    source="Zhang et al. 2018, arXiv:1608.00507; Arras et al. 2022, arXiv:2003.07258; Böhle et al. 2021, arXiv:2104.00032",
    work=work,
    options=Localise,
    measures=_measures,
    masks="needed",
    prepare=prepare,
)
