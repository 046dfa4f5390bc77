"""The bench "adversarial": class sensitivity of every method under one attack."""

from __future__ import annotations

import torch

from ..checks.chain import Record
from .adversarial import attacked
from .class_sensitivity import Adversarial, compared
from .kind import Bench, Kind, Measure, batch_of
from .probe import maps_at, recorded


def work(bench: Bench, shard: list[int]) -> Record:
    subject, options, batch = bench.subject, bench.options, batch_of(bench, shard)
    attack = attacked(subject.model, batch, options.eps, options.steps, options.clip, subject.seed)
    maps = maps_at(subject, batch)
    after, beside = (maps_at(subject, b, variant) for variant, b in attack.variants(batch).items())
    errors = beside.errors | after.errors | maps.errors
    right = attack.flipped | attack.steady
    flips = attack.flipped.double().masked_fill(~right, torch.nan)
    found = {
        name: compared(maps.maps[name], after.maps[name], beside.maps[name], attack, options.similarity)
        for name in subject.methods
        if name not in errors
    }
    return recorded(bench, shard, {n: {**f, ("flips", 0): flips} for n, f in found.items()}, errors)


TITLES = {
    "drop": ("drop of {} from control to flipped class", "higher"),
    "flipped": ("{} where the class flipped", ""),
    "control": ("{} under random signs, class kept", ""),
    "steady": ("{} under the attack, class kept", ""),
}


def measures(options: Adversarial) -> dict[str, Measure]:
    named = {
        f"{kind}:{m}": Measure(title.format(m), better)
        for kind, (title, better) in TITLES.items()
        for m in options.similarity
    }
    return {**named, "flips": Measure("share of images whose class the attack flipped")}


KIND = Kind(
    name="adversarial",
    title="Class sensitivity",
    about="An image is changed by eps so that its predicted class flips, and each map explains the class of its own image. "
    "A class-sensitive map moves more than under random signs of the same size: drop > 0. Images that do not flip have "
    "no value; raise eps where few flip.",
    source="Kim et al. 2019 (RectGrad), section 5.2, figure 5b",
    work=work,
    options=Adversarial,
    measures=measures,
)
