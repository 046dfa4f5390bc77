"""Remove and retrain (section 5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from torch import Tensor

from ...data.choice import Split
from ...data.labelled import labelled
from ...data.preprocess import Preprocess
from ...experiment.files import read_job, read_maps
from ...experiment.retrain_results import area
from ...faithfulness.retrain_plan import RetrainPlan
from ...models.nets.vgg9 import VGG9
from ...roar import plan_retrain, run_retrain
from ..lab import IMAGENET, Lab
from ..numbers import Array, over
from ..types import Measured, Number

METHODS = {
    "FullGrad": "fullgrad",
    "Grad-CAM": "gradcam",
    "gradient": "gradient",
    "integrated gradients": "integrated_gradients(steps={0})",
    "SmoothGrad squared": "smoothgrad_squared(n={0})",
}
"""{0}: samples, see `texts`."""
FULLGRAD = "FullGrad"
MINIMAL = {"FullGrad with psi_m": "fullgrad(rescale='none', values='signed')"}
RANDOM = "random"
NETWORKS = 3


def roar(lab: Lab) -> Measured:
    """Accuracy of VGG-9 networks trained on CIFAR-10 without the most salient pixels, and the area under it."""
    fractions = removed(lab)
    cells, original = hits_of(lab, "roar", texts(lab), (RANDOM,))
    minimal, _ = hits_of(lab, "roar-minimal", MINIMAL, ())  # a run of its own: its networks start from the same weights
    cells |= minimal
    numbers = {"original": Number(original)}
    areas = {name: area(values, list(fractions), "roar") for name, values in cells.items()}
    for name, values in cells.items():
        numbers |= {f"accuracy/{name}/{f:g}": over(v) for f, v in zip(fractions, values, strict=True)}
        numbers[f"area/{name}"] = over(areas[name])
        numbers |= {f"{name} - {base}": over(areas[name] - areas[base]) for base in (FULLGRAD, RANDOM) if name != base}
    return Measured(numbers, words={"fractions": "\n".join(f"{f:g}" for f in fractions)})


def removed(lab: Lab) -> tuple[float, ...]:
    """Shares of the pixels."""
    few = (0.1, 0.5, 0.9)
    return lab.pick(few, few, (0.1, 0.3, 0.5, 0.7, 0.9))


def texts(lab: Lab) -> dict[str, str]:
    return {name: text.format(lab.pick(10, 10, 50)) for name, text in METHODS.items()}


def hits_of(
    lab: Lab, folder: str, texts: Mapping[str, str], controls: tuple[str, ...]
) -> tuple[dict[str, Array], float]:
    """Right answers ``(fractions, networks, images)`` by method, and the accuracy on unchanged images."""
    results = run_retrain(planned(lab, folder, texts, controls)).results
    names = {text: name for name, text in texts.items()} | {RANDOM: RANDOM}
    found: dict[str, dict[tuple[int, int], Array]] = {}
    for key in results.config["jobs"]:
        held = read_job(results.folder / "jobs" / f"{key}.json")
        if held and held["job"]["kind"] == "retrain":
            about, maps = held["job"], read_maps(results.folder / "maps" / held["maps"])
            found.setdefault(names[about["entry"]], {})[about["place"], about["seed"]] = maps["hits"].numpy()
    shape = len(removed(lab)), NETWORKS, -1
    stacked = {
        n: np.stack([cells[k] for k in sorted(cells)]).astype(float).reshape(shape) for n, cells in found.items()
    }
    return stacked, results.original


def planned(lab: Lab, folder: str, texts: Mapping[str, str], controls: tuple[str, ...]) -> RetrainPlan:
    """The run: on a CPU VGG-9 at a quarter of its width, 4,000 images and 6 epochs."""
    return plan_retrain(
        None,
        part(lab, "train", lab.pick(1000, 4000, 50_000)),
        part(lab, "test", lab.pick(500, 2000, 10_000)),
        {text: lab.method(text) for text in texts.values()},
        factory=partial(VGG9, 10, width=lab.pick(0.25, 0.25, 1.0)),
        fractions=removed(lab),
        networks=NETWORKS,
        controls=controls,
        epochs=lab.pick(2, 6, 60),
        batch=50,
        lr=0.002,
        schedule="onecycle",
        device=lab.device,
        out=lab.runs / folder,
        about={"dataset": "CIFAR10", "model": lab.pick("vgg9_quarter", "vgg9_quarter", "VGG9")},
    )


def part(lab: Lab, split: Split, limit: int) -> tuple[Tensor, Tensor]:
    """Images of CIFAR-10 in ImageNet's units, and their classes."""
    found = labelled(lab.data / "CIFAR10", split, Preprocess(mean=IMAGENET["mean"], std=IMAGENET["std"]), limit)
    targets = found.targets
    return found.pixels, targets if targets is not None else found.pixels.new_zeros(0).long()
