"""The bench "infidelity": every method's maps against the same perturbations."""

from __future__ import annotations

from ..checks.subject import Record
from ..engine.call import like_inputs
from .infidelity import errors_of, products
from .kind import Bench, Kind, Measure, batch_of
from .perturbations import Perturbing
from .probe import maps_at, recorded


def work(bench: Bench, shard: list[int]) -> Record:
    subject, batch = bench.subject, batch_of(bench, shard)
    maps = maps_at(subject, batch)
    black = 0.0 if subject.black is None else subject.black.reshape(-1, 1, 1)
    fill = like_inputs(black, batch.x, "black")
    foretold, change = products(subject.model, batch, maps.maps, bench.options, subject.score, fill, subject.seed)
    keys = [("infidelity", 0), ("infidelity:scaled", 0), ("agreement", 0)]
    found = {name: dict(zip(keys, errors_of(s, change), strict=True)) for name, s in foretold.items()}
    return recorded(bench, shard, found, maps.errors)


def measures(options: Perturbing) -> dict[str, Measure]:
    del options
    return {
        "agreement": Measure("agreement of foretold and real change, -1 to 1", "higher"),
        "infidelity:scaled": Measure("infidelity at the best scale, score units squared", "lower"),
        "infidelity": Measure("infidelity, score units squared", "lower", raw=True),
    }


KIND = Kind(
    name="infidelity",
    title="Infidelity",
    about="Images are perturbed, and the change of the score is compared with what the map, read as a linear model, "
    "foretells. The raw number of the paper punishes every map that is not in units of the score; agreement does not see "
    "the scale.",
    source="Yeh et al. 2019, definition 2.1",
    work=work,
    options=Perturbing,
    measures=measures,
)
