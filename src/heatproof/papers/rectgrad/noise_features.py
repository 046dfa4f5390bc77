"""Feature-map occlusion (section 3.2, figure 3): what units on the object and on the background are worth."""

from __future__ import annotations

import numpy as np

from ...errors import InputError
from ...experiment.bench_results import BenchResults
from ..lab import Lab
from ..numbers import by_image, of_bench, over
from ..types import Measured, Number
from .noise import correct_scenes

SIDES = ("object", "background")
STEPS = 10


def feature_maps(lab: Lab) -> Measured:
    """Margins of the class as units of each convolution of the network of scenes are switched off."""
    model = lab.network("scenes")
    x, masks = correct_scenes(lab, model, lab.pick(24, 60, 100))
    trials, chunk = lab.pick(4, 10, 50), min(12, len(x))
    found = lab.bench(
        "feature-occlusion", "features", model, x, None, masks=masks, trials=trials, steps=STEPS, chunk=chunk
    )
    layers = list(found.config["options"]["layers"])
    numbers = {**of_bench(found), "object/area": over(masks.double().mean((1, 2, 3)))}
    for layer in layers:
        numbers[f"more/{layer}"] = difference(found, f"lost:{layer}")
        numbers[f"more equal/{layer}"] = difference(found, f"lost_equal:{layer}")
    return Measured(numbers, words={"layers": "\n".join(layers)})


def difference(found: BenchResults, metric: str) -> Number:
    """What is lost with the object's units off more than with the background's, on the same images."""
    a, b = (by_image(found, side, metric) for side in SIDES)
    if a.shape != b.shape:
        raise InputError(f"{metric}: {a.shape} values for the object and {b.shape} for the background")
    return over(np.asarray(a - b))
