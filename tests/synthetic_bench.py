"""A bench and a retraining run of random numbers, with everything that a report can show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

import synthetic_results
from heatproof.experiment.bench_results import CURVES, SUMMARY, BenchResults, _curves, _summary
from heatproof.experiment.cells import COLUMNS
from heatproof.experiment.retrain_results import RetrainResults
from heatproof.faithfulness.kind import Kind, Measure

METHODS = {
    "fullgrad": 0.9, "gradcam": 0.7, "gradient": 0.1, "smoothgrad(n=50)": 0.3, "integrated_gradients": 0.35,
    "guided_backprop": 0.2, "input_x_gradient": 0.25, "rectgrad(percentile=98.0, preset='paper')": 0.5,
    "occlusion": 0.8, "deconvnet": 0.05, "edge_map": 0.02, "random_map": 0.0,
}  # fmt: skip
LEVELS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
MEASURES = {
    "change:least:black": Measure("fractional output change, least salient pixels first", "lower", curve=True),
    "change:most:black": Measure("fractional output change, most salient pixels first", "higher", curve=True),
    "outside": Measure("attribution outside the object, share", "lower"),
    "gap": Measure("gap between both orders", "higher"),
    "outside:raw": Measure("attribution outside the object, sum", "lower", raw=True),
}


@dataclass(frozen=True)
class Options:
    order: str = "least"


def kind(**changes: Any) -> Kind:
    """The kind of the synthetic bench."""
    about = (
        "A share of the pixels is replaced by black, least salient first, and the change of the output is measured: a map "
        "that is right about what does not matter changes it little."
    )
    fields = {"name": "pixel", "title": "Pixel perturbation", "about": about, "work": lambda bench, shard: None,
              "source": "FullGrad (Srinivas and Fleuret 2019), section 5.1", "options": Options,
              "measures": lambda options: MEASURES, "levels": lambda options: LEVELS,
              "axis": "share of pixels removed"}  # fmt: skip
    return Kind(**(fields | changes))


def bench(folder: Path, images: int = 24, photos: int = 2) -> BenchResults:
    """A finished bench: 12 methods, 2 curves, 3 numbers, of which one raw; a refused method, a failed image."""
    table = pd.DataFrame(_rows(images), columns=COLUMNS[2:])
    held = config(images)
    curves = pd.DataFrame(_curves(table, list(METHODS), MEASURES, dict(enumerate(LEVELS, 1))), columns=CURVES)
    summary = pd.DataFrame(_summary(table, list(METHODS), MEASURES, "random_map"), columns=SUMMARY)
    refused = [("layerwise_relevance", "refused", "no rule for torch.nn.LSTM at encoder.0; choose another method")]
    for i in range(photos):
        (folder / "photos").mkdir(parents=True, exist_ok=True)
        Image.fromarray(synthetic_results.picture(i, 48)).save(folder / "photos" / f"{i}.png")
    columns = ["method", "status", "error"]
    return BenchResults(folder, held, kind(), MEASURES, table, curves, summary, pd.DataFrame(refused, columns=columns))


def config(images: int) -> dict[str, Any]:
    """What such a bench records."""
    rows = [{"name": f"photo_{i}.jpg", "target": 0, "predicted": "tench", "probability": 0.9} for i in range(images)]
    return {
        "bench": "pixel", "model": "torchvision:resnet18", "dataset": "imagenet-samples", "date": "2026-03-14 09:26:53",
        "command": "heatproof bench pixel --model torchvision:resnet18", "methods": list(METHODS),
        "controls": ["edge_map", "random_map"], "control": "random_map", "levels": list(LEVELS),
        "options": {"order": "least"}, "refused": {"layerwise_relevance": "no rule"}, "images": rows, "jobs": ["abc"],
        "warnings": ["photo_7.jpg could not be read: truncated"], "seed": 0, "device": "cpu", "chunk": 8,
        "versions": {"heatproof": "0.1.0", "torch": "2.13.0"},
    }  # fmt: skip


def _rows(images: int) -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(0)
    rows: list[tuple[Any, ...]] = []
    for method, skill in METHODS.items():
        scale = 10 ** (4 * skill - 3)
        for i in range(images):
            for stage, level in enumerate(LEVELS, 1):
                least = level**0.5 * (1.6 - skill) * rng.gamma(4, 0.25)
                most = level**0.4 * (0.3 + skill) * rng.gamma(4, 0.25)
                rows += [_row(method, stage, "change:least:black", i, least),
                         _row(method, stage, "change:most:black", i, most)]  # fmt: skip
            outside = float(np.clip(rng.normal(0.6 - 0.4 * skill, 0.15), 0.01, 1))
            gap = (
                float("nan")
                if method == "gradient" and i < 3
                else rng.normal(skill - (0.6 if method == "deconvnet" else 0.03), 0.3)
            )
            rows += [_row(method, 0, "outside", i, outside), _row(method, 0, "gap", i, gap),
                     _row(method, 0, "outside:raw", i, scale * outside * rng.gamma(4, 0.25))]  # fmt: skip
    return [*rows, ("occlusion", "pixel", 0, "", images - 1, 0, float("nan"), "failed", "RuntimeError: out of memory")]


def _row(method: str, stage: int, metric: str, image: int, value: float) -> tuple[Any, ...]:
    return method, "pixel", stage, metric, image, 0, value, "ok" if value == value else "undefined", ""


ENTRIES = {
    "rectgrad": 0.55, "gradient": 0.63, "smoothgrad": 0.66, "guided_backprop": 0.6, "gradcam": 0.5,
    "integrated_gradients": 0.62, "rectgrad, blurred": 0.57, "rectgrad, mask only": 0.3, "edge_map": 0.61, "random": 0.65,
}  # fmt: skip
PUBLISHED = {
    "rectgrad": 0.52,
    "gradient": 0.6,
    "smoothgrad": 0.64,
    "guided_backprop": 0.66,
    "integrated_gradients": 0.61,
}


def retrained(folder: Path, directions: tuple[str, ...] = ("roar", "kar"), original: float = 0.74) -> RetrainResults:
    """A finished retraining run: ten entries, five fractions, three networks."""
    config = {
        "model": "rectgrad-cnn", "dataset": "CIFAR-10", "fractions": [0.1, 0.3, 0.5, 0.7, 0.9], "networks": 3,
        "methods": [m for m in ENTRIES if "," not in m and m not in ("random", "edge_map")],
        "controls": ["random", "edge_map"], "directions": list(directions), "preset": "reduced",
        "command": "heatproof bench roar",
        "warnings": [], "reduced": ["3 networks a point, the paper trains 10", "2000 training images of 50000"],
        "date": "2026-03-14",
    }  # fmt: skip
    accuracies, areas = _accuracies(directions, config["fractions"]), _areas(directions)
    refused = pd.DataFrame([("lrp", "failed", "ModelError: no rule")], columns=["method", "status", "error"])
    ties = [(m, part, 0.02) for m in config["methods"] for part in ("train", "test")]
    return RetrainResults(folder, config, pd.DataFrame(), accuracies, areas,
                          pd.DataFrame(ties, columns=["method", "part", "tied_share"]), refused, original)  # fmt: skip


def _accuracies(directions: tuple[str, ...], fractions: list[float]) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    rows = []
    for direction in directions:
        for method, area in ENTRIES.items():
            for p in fractions:
                kept = 1 - p if direction == "roar" else p
                strength = area if direction == "roar" else 1.3 - area
                mean = 0.1 + 0.64 * kept ** (0.8 / strength - 0.7) + rng.normal(0, 0.005)
                rows.append((direction, method, p, mean, mean - 0.015, mean + 0.015, 3))
    return pd.DataFrame(rows, columns=["direction", "method", "fraction", "mean", "lower", "upper", "networks"])


def _areas(directions: tuple[str, ...]) -> pd.DataFrame:
    rows = []
    for direction in directions:
        for method, area in ENTRIES.items():
            value = area if direction == "roar" else 0.8 * area
            gain = 0.65 - area if direction == "roar" else 0.8 * (0.65 - area)
            ends = (gain - 0.02, gain + 0.02) if method != "random" else (np.nan, np.nan)
            known = PUBLISHED.get(method, np.nan) if direction == "roar" else np.nan
            gain = gain if method != "random" else np.nan
            rows.append((direction, method, value, value - 0.012, value + 0.012, 0.9 - value, gain, *ends, known))
    columns = ["direction", "method", "area", "lower", "upper", "mean_accuracy", "gain", "gain_lower", "gain_upper"]
    return pd.DataFrame(rows, columns=[*columns, "published"])
