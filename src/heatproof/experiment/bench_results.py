"""What a bench leaves, read back and aggregated: intervals over images, and every method beside chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..checks.interval import estimate
from ..errors import RunError
from ..faithfulness.kind import Kind, Measure
from ..faithfulness.kinds import KINDS
from .cells import tidy_table
from .folder import read_config

CURVES = ["method", "metric", "stage", "level", "mean", "lower", "upper", "defined"]
SUMMARY = [
    "method", "metric", "mean", "lower", "upper", "low", "quarter", "median", "three_quarters", "high", "gain",
    "gain_lower", "gain_upper", "defined", "images",
]  # fmt: skip


@dataclass(frozen=True)
class BenchResults:
    """Everything that the plots and the report of a bench need.

    Attributes:
        folder: the run folder.
        config: what was asked, with versions, hashes and the date.
        kind: the bench. measures: its metrics, by name, the most important first.
        table: tidy rows; stage 0 = no level.
        curves: one row per (method, metric, level) of metrics with levels: mean over images, its 95 % interval, and the
            share of images with a value.
        summary: one row per (method, metric) of metrics without levels: mean with 95 % interval over images; whiskers
            (1.5 interquartile ranges, within the data), quartiles and median for box plots; gain, the mean difference
            to the control on the same images, positive = better, with its interval (NaN for the control itself, for raw
            sums, and where neither direction is better); defined, the share of images with a value; images, their number.
        refused: one row per method that could not run: method, status, error.
    """

    folder: Path
    config: dict[str, Any]
    kind: Kind
    measures: Mapping[str, Measure]
    table: pd.DataFrame
    curves: pd.DataFrame
    summary: pd.DataFrame
    refused: pd.DataFrame

    @property
    def control(self) -> str:
        """The method that says what chance gives; "" where there is none."""
        return str(self.config.get("control", ""))


def load_bench(folder: Path) -> BenchResults:
    """Read a finished bench and aggregate it.

    Raises:
        RunError: no bench there, or jobs that are not finished.
    """
    kind = _kind(folder, read_config(folder))
    config = read_config(folder, "options", "levels", "methods", "refused", "jobs")
    measures = kind.measures(kind.options(**config["options"]))
    table = tidy_table(folder, {**config, "checks": [kind.name]})
    refused = pd.DataFrame(
        [(m, "refused", e) for m, e in config["refused"].items()], columns=["method", "status", "error"]
    )
    levels = dict(enumerate(config["levels"], 1))
    curves = pd.DataFrame(_curves(table, config["methods"], measures, levels), columns=CURVES)
    control = str(config.get("control", ""))
    summary = pd.DataFrame(_summary(table, config["methods"], measures, control), columns=SUMMARY)
    if said := kind.remark(summary):
        config = {**config, "warnings": [*config.get("warnings", ()), said]}
    return BenchResults(folder, config, kind, measures, table, curves, summary, refused)


def _kind(folder: Path, config: Mapping[str, Any]) -> Kind:
    """The bench that a folder holds, or `RunError`."""
    if "bench" not in config:
        holds = "a retraining run" if "directions" in config else "an audit"
        raise RunError(f"{folder} holds {holds} and no bench; read it with: heatproof report {folder}")
    if config["bench"] not in KINDS:
        raise RunError(
            f"{folder} holds the bench {config['bench']!r}, which this version does not know (it has {', '.join(KINDS)}); "
            "read it with the version that made it"
        )
    return KINDS[config["bench"]]


Values = np.ndarray[Any, Any]


def _curves(
    table: pd.DataFrame, methods: list[str], measures: Mapping[str, Measure], levels: Mapping[int, float]
) -> Iterator[tuple[Any, ...]]:
    grids = _grids(table)
    for metric, measure in measures.items():
        for method in methods if measure.curve else ():
            for stage, level in levels.items():
                if (found := grids.get((method, metric, stage))) is not None:
                    e = estimate(found[None])
                    yield method, metric, stage, level, e.mean, e.lower, e.upper, e.share


def _summary(
    table: pd.DataFrame, methods: list[str], measures: Mapping[str, Measure], control: str
) -> Iterator[tuple[Any, ...]]:
    grids = _grids(table)
    for metric, measure in measures.items():
        for method in () if measure.curve else methods:
            if (found := grids.get((method, metric, 0))) is not None:
                chance = None if method == control else grids.get((control, metric, 0))
                e = estimate(found[None])
                better = "" if measure.raw else measure.better  # a random map has units of its own
                boxes, gains = _box(found), _gain(found, chance, better)
                yield method, metric, e.mean, e.lower, e.upper, *boxes, *gains, e.share, len(found)


def _grids(table: pd.DataFrame) -> dict[Any, Values]:
    """Values by image, for a metric the images that any method has it of, NaN where one lacks it; seeds are averaged."""
    plain = table[table["metric"] != ""]
    images = {metric: sorted(group.unique()) for metric, group in plain.groupby("metric")["image"]}
    return {
        (method, metric, stage): group.groupby("image")["value"].mean().reindex(images[str(metric)]).to_numpy()
        for (method, metric, stage), group in plain.groupby(["method", "metric", "stage"], sort=False)
    }


def _box(values: Values) -> tuple[float, ...]:
    """Lower whisker, quartiles and median, upper whisker (Tukey)."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return (float("nan"),) * 5
    low, middle, high = (float(q) for q in np.quantile(finite, (0.25, 0.5, 0.75)))
    reach = 1.5 * (high - low)
    inside = finite[(finite >= low - reach) & (finite <= high + reach)]
    return float(inside.min()), low, middle, high, float(inside.max())


def _gain(values: Values, chance: Values | None, better: str) -> tuple[float, float, float]:
    """Mean difference to the control on the same images, positive = better, with its 95 % interval."""
    if chance is None or better not in ("lower", "higher"):
        return (float("nan"),) * 3
    e = estimate(((values - chance) * (1 if better == "higher" else -1))[None])
    return e.mean, e.lower, e.upper
