"""What a run reduced of the RectGrad paper's experiment, and the published areas where they may stand beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .retrain_presets import FULL, KAR_AOC, PRESETS, RANDOM, RECTGRAD_CNN, ROAR_AUC
from .retrain_settings import RetrainSettings

COUNTS, SHAPE = (50_000, 10_000), (3, 32, 32)
FULL_SETTINGS = PRESETS["paper"].settings
SAMPLES = r"\b(n|steps)=(\d+)"


@dataclass(frozen=True)
class Used:
    """A run as it was asked for. units: mean and std; counts: training and test images; names: of the methods."""

    model: str
    units: tuple[Any, Any]
    cifar: bool
    shape: tuple[int, ...]
    counts: tuple[int, int]
    settings: RetrainSettings
    names: Sequence[str]


def others(used: Used) -> list[str]:
    """What makes a run another experiment than the paper's, whose areas say nothing beside it."""
    s, full = used.settings, PRESETS["paper"]
    differs = {
        f"model {used.model}": used.model != RECTGRAD_CNN,
        "data other than CIFAR-10": not used.cifar or used.shape != SHAPE,
        "other units of the pixels": tuple(map(_one, used.units)) != (full.mean, full.std),
        f"rank {s.rank}": s.rank != full.settings["rank"],
        f"areas from {s.fractions[0]:g} to {s.fractions[-1]:g}": (s.fractions[0], s.fractions[-1]) != (0.1, 0.9),
    }
    return [text for text, different in differs.items() if different]


def published(names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Table 1 by direction and method; SmoothGrad and integrated gradients with any number of samples."""
    areas = {"roar": dict(zip(FULL, ROAR_AUC, strict=True)), "kar": dict(zip(FULL, KAR_AOC, strict=True))}
    of = {name: _whole(name) for name in names}
    return {
        way: {**{name: known[full] for name, full in of.items() if full in known}, "random": RANDOM[way]}
        for way, known in areas.items()
    }


def reduced(used: Used) -> list[str]:
    """What is less than in the paper, or otherwise trained, as texts."""
    less, other = ", ".join(_less(used)), ", ".join(_otherwise(used.settings))
    areas = "areas differ from the published ones: compare orders"
    return [
        *([f"{less}, so that networks are worse and all {areas}"] if less else []),
        *([f"trained otherwise: {other}, so that {areas}"] if other else []),
        *filter(None, ["; ".join(filter(None, [*_fewer(used.settings), _samples(used.names)]))]),
    ]


def _less(used: Used) -> list[str]:
    """Fewer images or epochs, which make networks worse."""
    parts = zip(used.counts, COUNTS, ("training", "test"), strict=True)
    images = " and ".join(f"{n:,} of {whole:,} {what}" for n, whole, what in parts if n < whole)
    epochs, full = used.settings.epochs, FULL_SETTINGS["epochs"]
    return [*([f"{images} images"] if images else []), *([f"{epochs} of {full} epochs"] if epochs < full else [])]


def _otherwise(s: RetrainSettings) -> list[str]:
    """What of the training is neither less nor the same."""
    full = FULL_SETTINGS
    differs = {
        f"{s.epochs} epochs instead of {full['epochs']}": s.epochs > full["epochs"],
        f"batches of {s.batch} instead of {full['batch']}": s.batch != full["batch"],
        f"lr {s.lr:g} instead of {full['lr']:g}": s.lr != full["lr"],
        "the rate in one cycle instead of a constant rate": s.schedule is not None,
    }
    return [text for text, different in differs.items() if different]


def _fewer(s: RetrainSettings) -> list[str]:
    """Fewer points than the paper has."""
    levels, networks = RetrainSettings.fractions, FULL_SETTINGS["networks"]
    missing = set(levels) - set(s.fractions)
    return [
        *([f"{s.networks} of {networks} networks for each point"] if s.networks < networks else []),
        *([f"fractions {_listed(s.fractions)} of {_commas(levels)}"] if missing else []),
    ]


def _whole(name: str) -> str:
    """A method's name with the paper's number of samples."""
    return re.sub(SAMPLES, r"\1=50", name)


def _samples(names: Sequence[str]) -> str:
    words = {"n": "SmoothGrad with {} of 50 samples", "steps": "integrated gradients with {} of 50 steps"}
    found = [re.search(SAMPLES, name) for name in names if name not in FULL and _whole(name) in FULL]
    return ", ".join(words[match[1]].format(match[2]) for match in found if match and int(match[2]) < 50)


def _one(unit: Any) -> Any:
    """One number for all channels where they are the same."""
    return unit[0] if isinstance(unit, tuple) and len(set(unit)) == 1 else unit


def _commas(fractions: Sequence[float]) -> str:
    return ", ".join(f"{p:g}".removeprefix("0") for p in fractions)


def _listed(fractions: Sequence[float]) -> str:
    return " and ".join(_commas(fractions).rsplit(", ", 1))


def beside_paper(used: Used) -> Mapping[str, Any]:
    """What the run's configuration says of the paper: reduced, published, and a warning where neither can be said."""
    if different := others(used):
        text = f"another experiment than the paper's ({', '.join(different)}): its areas do not stand beside these"
        return {"reduced": [], "published": {}, "warnings": [text]}
    return {"reduced": reduced(used), "published": published(used.names), "warnings": []}
