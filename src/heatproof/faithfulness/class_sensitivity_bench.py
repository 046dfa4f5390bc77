"""The bench "adversarial": class sensitivity of every method under one attack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..checks.subject import Record
from .adversarial import attacked
from .class_sensitivity import Adversarial, compared
from .kind import Bench, Kind, Measure, batch_of
from .probe import maps_at, recorded

if TYPE_CHECKING:
    import pandas as pd


def work(bench: Bench, shard: list[int]) -> Record:
    subject, options, batch = bench.subject, bench.options, batch_of(bench, shard)
    attack = attacked(subject.model, batch, options.eps, options.steps, options.clip, subject.seed)
    maps = maps_at(subject, batch)
    others = [maps_at(subject, b, variant) for b, variant in attack.variants(batch)]
    errors = {name: error for found in (*others[::-1], maps) for name, error in found.errors.items()}
    right = attack.flipped | attack.steady
    flips = attack.flipped.double().masked_fill(~right, torch.nan)
    found = {
        name: compared(maps.maps[name], [o.maps[name] for o in others], attack, options.similarity)
        for name in subject.methods
        if name not in errors
    }
    return recorded(bench, shard, {n: {**f, ("flips", 0): flips} for n, f in found.items()}, errors)


TITLES = {
    "drop": "drop of {} from control to flipped class",
    "flipped": "{} where the class flipped",
    "control": "{} under random signs, class kept",
    "steady": "{} under the attack, class kept",
}


def measures(options: Adversarial) -> dict[str, Measure]:
    change = {f"class_change:{m}": Measure(f"1 - {m} between the two classes", "higher") for m in options.similarity}
    flips = {"flips": Measure("share of images whose class the attack flipped")}
    moves = {f"{kind}:{m}": Measure(title.format(m)) for kind, title in TITLES.items() for m in options.similarity}
    return {**change, **flips, **moves}


def remark(summary: pd.DataFrame) -> str:
    """What to say where the attack flipped no image; "" where it did."""
    rows = summary[summary["metric"] == "flips"]  # the same for every method
    for share, defined, images in rows[["mean", "defined", "images"]].to_numpy(dtype=float)[:1]:
        if not defined:
            return f"none of the {images:.0f} images has the class that is attacked: leave targets (--target) out"
        if share == 0:
            return f"0 of {defined * images:.0f} images flipped: raise eps (--eps)"
    return ""


KIND = Kind(
    name="adversarial",
    title="Class sensitivity",
    about="An image is changed by eps so that its predicted class flips, and is explained for its new class and for the "
    "one before: 1 - similarity of the two maps is 0 for a map that does not depend on the class. It does not say that the "
    "class is explained rightly. The drop compares maps of the clean and of the attacked image, each for its own class, "
    "with random signs of the same size: any map that follows the image moves too, also one of edges. Images that do not "
    "flip have no value; raise eps where few flip.",
    source="Kim et al. 2019 (RectGrad), section 5.2, figure 5b",
    work=work,
    options=Adversarial,
    measures=measures,
    remark=remark,
)
