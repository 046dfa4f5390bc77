"""Remove and retrain, keep and retrain (section 5.3, table 1, figure 18)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ...data.labelled import labelled
from ...data.preprocess import Preprocess
from ...experiment.files import read_job, read_maps
from ...experiment.retrain_results import Hits, RetrainResults, area
from ...faithfulness.retrain_presets import KAR_AOC, PRESETS, ROAR_AUC, Preset
from ...faithfulness.retrain_presets import RANDOM as PUBLISHED_RANDOM
from ...models.nets.rectgrad_cnn import RectGradCNN
from ...roar import plan_retrain, run_retrain
from ...similarity.spearman import spearman
from ..lab import Lab
from ..numbers import Array, over
from ..types import Measured, Number

DIRECTIONS = ("roar", "kar")
NAMES = (
    "RectGrad", "gradient", "guided backpropagation", "SmoothGrad", "gradient x input", "integrated gradients", "DeepLIFT",
)  # fmt: skip
"""Of the methods of the presets, in the order of table 1."""
RANDOM = "random removal"
TABLE_1 = {
    way: {**dict(zip(NAMES, areas, strict=True)), RANDOM: PUBLISHED_RANDOM[way]}
    for way, areas in (("roar", ROAR_AUC), ("kar", KAR_AOC))
}
"""Published areas."""
DRAWS = 1000
Areas = dict[str, dict[str, Hits]]
"""By direction and method, ``(networks, images)``."""


def retrained(lab: Lab) -> Measured:
    """The command ``heatproof bench roar --preset reduced --both --data CIFAR10``; unreduced ``--preset paper``."""
    preset = PRESETS[lab.pick("reduced", "reduced", "paper")]
    train, test = sets(lab, preset)
    plan = plan_retrain(
        None, train, test, lab.methods(*preset.methods), **preset.settings, factory=RectGradCNN, directions=DIRECTIONS,
        out=lab.runs / "roar", threads=1, workers=1, device=lab.device, seed=0,
        about={"model": RectGradCNN.__name__, "dataset": "CIFAR10"},
    )  # fmt: skip
    found = run_retrain(plan).results
    shown = dict(zip((*preset.methods, "random"), (*NAMES, RANDOM), strict=True))
    words = {"fractions": "\n".join(f"{p:g}" for p in found.config["fractions"]), "methods": "\n".join(shown.values())}
    ties = found.ties[found.ties["part"] == "train"].to_dict("records")
    tied = {f"tied/{shown[row['method']]}": Number(row["tied_share"]) for row in ties if row["method"] in shown}
    return Measured({**accuracies(found, shown), **compared(areas(found, shown)), **tied}, words=words)


def sets(lab: Lab, preset: Preset) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Training and test images, evenly from all, in [-1, 1]."""
    how = Preprocess(mean=preset.mean, std=preset.std)
    train = labelled(lab.data / "CIFAR10", "train", how, preset.train_limit)
    test = labelled(lab.data / "CIFAR10", "test", how, preset.test_limit)
    return _pair(train.pixels, train.targets), _pair(test.pixels, test.targets)


def _pair(pixels: Tensor, targets: Tensor | None) -> tuple[Tensor, Tensor]:
    return pixels, pixels.new_zeros(len(pixels)).long() if targets is None else targets


def accuracies(found: RetrainResults, shown: dict[str, str]) -> dict[str, Number]:
    """Test accuracy as "accuracy/DIRECTION/METHOD/FRACTION", and on whole images as "accuracy"."""
    rows = found.accuracies.to_dict("records")
    return {"accuracy": Number(found.original)} | {
        f"accuracy/{r['direction']}/{shown[r['method']]}/{r['fraction']:g}": Number(r["mean"], r["lower"], r["upper"])
        for r in rows
    }


def areas(found: RetrainResults, shown: dict[str, str]) -> Areas:
    """The area of each network and test image."""
    cells: dict[tuple[str, str], dict[tuple[int, int], Hits]] = {}
    for key in found.config["jobs"]:
        held = read_job(found.folder / "jobs" / f"{key}.json")
        if held is None or held["job"]["kind"] != "retrain" or not held["maps"]:
            continue
        about = held["job"]
        hits = read_maps(found.folder / "maps" / held["maps"])["hits"].double().numpy()
        cells.setdefault((about["direction"], shown[about["entry"]]), {})[about["place"], about["seed"]] = hits
    result: Areas = {direction: {} for direction in DIRECTIONS}
    for (direction, name), by_place in cells.items():
        places, seeds = (sorted({key[axis] for key in by_place}) for axis in (0, 1))
        table = np.stack([np.stack([by_place[place, seed] for seed in seeds]) for place in places])
        result[direction][name] = area(table, list(found.config["fractions"]), direction)
    return result


def ordered(values: Mapping[str, Array], published: Sequence[float]) -> Number:
    """Spearman's rho of the methods' mean areas ``(networks, images)`` with the published ones; its interval from
    networks and images drawn again, the same for all methods."""
    areas, noise = np.stack(list(values.values())), np.random.default_rng(0)
    means = [areas.mean((1, 2))]
    for _ in range(DRAWS):
        networks, images = (noise.integers(0, n, n) for n in areas.shape[1:])
        means.append(areas[:, networks][:, :, images].mean((1, 2)))
    ours = torch.from_numpy(np.stack(means))[:, None, None]
    rho, *drawn = spearman(ours, torch.tensor(published).double().expand_as(ours)).tolist()
    return Number(rho, *np.quantile(drawn, (0.025, 0.975)).tolist())


def compared(found: Areas) -> dict[str, Number]:
    """Areas as "DIRECTION/METHOD", what each has more than RectGrad on the same networks and images, and chance's sum."""
    numbers = {}
    for direction, held in found.items():
        for name, values in held.items():
            numbers[f"{direction}/{name}"] = over(values)
            numbers[f"{direction}/{name} - {NAMES[0]}"] = over(values - held[NAMES[0]])
        numbers[f"rho/{direction}"] = ordered(
            {name: held[name] for name in TABLE_1[direction]}, list(TABLE_1[direction].values())
        )
    return numbers | {"random sum": over(found["roar"][RANDOM] + found["kar"][RANDOM])}
