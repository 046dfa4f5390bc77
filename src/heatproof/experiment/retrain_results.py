"""What a remove-and-retrain run leaves, read back: accuracies, areas, and every entry beside random removal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..checks.interval import estimate
from ..faithfulness.retrain_task import SHARD, TIED
from .cells import tidy_table
from .files import read_job, read_maps
from .folder import read_config

CONTROL = "random"
"""The entry that says what removing pixels does whatever they are."""
NAN = (float("nan"),) * 3
ACCURACIES = ["direction", "method", "fraction", "mean", "lower", "upper", "networks"]
AREAS = [
    "direction", "method", "area", "lower", "upper", "mean_accuracy", "gain", "gain_lower", "gain_upper", "published",
]  # fmt: skip

Hits = np.ndarray[Any, Any]
Key = tuple[str, str]
UNCHANGED: Key = ("", "")
"""Networks on unchanged images."""


@dataclass(frozen=True)
class RetrainResults:
    """Everything that the plots and the report of a remove-and-retrain run need. 95 % intervals are over networks and
    test images, cut to [0, 1] for accuracies and areas. They say nothing about training the explained network again.

    Attributes:
        folder: the run folder.
        config: what was asked, with versions, hashes and the date.
        table: tidy rows; stage: place of the fraction, from 1 on.
        accuracies: one row per (direction, method, fraction): test accuracy in [0, 1].
        areas: one row per (direction, method): area under the accuracy over the fraction removed ("roar"), over it over
            the fraction kept ("kar"): lower is better for both; mean_accuracy: plain mean over fractions; gain: area of
            random removal less the area, same networks and images, positive = better, NaN for masks alone, which answer
            another question; published: NaN where unknown.
        ties: share of pixels with the value of another pixel by [method, part], whose order is random.
        refused: one row per entry without a result: method, status, error.
        original: accuracy of networks on unchanged data.
        conditional: one network a point, so that intervals are over images alone ("conditional on one network").
    """

    folder: Path
    config: dict[str, Any]
    table: pd.DataFrame
    accuracies: pd.DataFrame
    areas: pd.DataFrame
    ties: pd.DataFrame
    refused: pd.DataFrame
    original: float
    conditional: bool = False


def load_retrain(folder: Path) -> RetrainResults:
    """Read a finished run and aggregate it.

    Raises:
        RunError: no run there, or jobs that are not finished.
    """
    config = read_config(folder, "directions", "methods", "fractions", "jobs")
    table = tidy_table(folder, {**config, "checks": config["directions"]})
    hits = _hits(folder, config)
    original = hits.pop(UNCHANGED)
    return RetrainResults(
        folder,
        config,
        table,
        pd.DataFrame(_accuracies(hits, config), columns=ACCURACIES),
        pd.DataFrame(_areas(hits, config), columns=AREAS),
        _ties(table, config),
        _refused(table),
        float(original.mean()),
        estimate(original[0]).conditional,
    )


def area(hits: Hits, fractions: list[float], direction: str) -> Hits:
    """Area of each network and image. ``(fractions, networks, images) -> (networks, images)``, 0 to 1, lower is better.

    Trapezoid over the fractions, divided by their span (semantics.md, 3.S3.21); of one fraction the value at it. ROAR:
    under the accuracy over the fraction removed (AUC). KAR: over the accuracy over the fraction kept (AOC = 1 - AUC).

    Example:
        >>> area(np.array([[[1.0]], [[0.0]], [[0.0]]]), [0.1, 0.5, 0.9], "roar").tolist()
        [[0.25]]
    """
    span = fractions[-1] - fractions[0]
    steps = np.diff(fractions)[:, None, None]
    under = ((hits[1:] + hits[:-1]) / 2 * steps).sum(0) / span if span else hits[0]
    return np.asarray(under if direction == "roar" else 1 - under)


def _hits(folder: Path, config: Mapping[str, Any]) -> dict[Key, Hits]:
    """Hits ``(fractions, networks, images)`` by (entry, direction), of those that have any."""
    found: dict[Key, dict[tuple[int, int], Hits]] = {}
    for key in config["jobs"]:
        held = read_job(folder / "jobs" / f"{key}.json")
        if held is None or not held["maps"] or held["job"]["kind"] == "ranks":
            continue
        about = held["job"]
        place = (about["entry"], about["direction"]) if about["kind"] == "retrain" else UNCHANGED
        hits = read_maps(folder / "maps" / held["maps"])["hits"].numpy()
        found.setdefault(place, {})[about.get("place", 0), about["seed"]] = hits
    return {place: _stacked(cells) for place, cells in found.items()}


def _stacked(cells: Mapping[tuple[int, int], Hits]) -> Hits:
    places, seeds = (sorted({key[axis] for key in cells}) for axis in (0, 1))
    return np.stack([np.stack([cells[place, seed] for seed in seeds]) for place in places]).astype(float)


def _of(hits: Mapping[Key, Hits], config: Mapping[str, Any]) -> Iterator[tuple[str, str, Hits]]:
    for direction in config["directions"]:
        for name in config["entries"]:
            if (found := hits.get((name, direction))) is not None:
                yield direction, name, found


def _accuracies(hits: Mapping[Key, Hits], config: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for direction, name, found in _of(hits, config):
        for fraction, cells in zip(config["fractions"], found, strict=True):
            yield direction, name, fraction, *_bounds(cells), len(cells)


def _areas(hits: Mapping[Key, Hits], config: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    fractions = list(config["fractions"])
    for direction, name, found in _of(hits, config):
        mine, chance = area(found, fractions, direction), hits.get((CONTROL, direction))
        gain = NAN
        if chance is not None and name != CONTROL and name not in config["pictures"]:
            g = estimate(area(chance, fractions, direction) - mine)
            gain = (g.mean, g.lower, g.upper)
        published = config.get("published", {}).get(direction, {}).get(name, float("nan"))
        yield direction, name, *_bounds(mine), found.mean(), *gain, published


def _bounds(cells: Hits) -> tuple[float, float, float]:
    e = estimate(cells)
    return e.mean, max(0.0, e.lower), min(1.0, e.upper)


def _ties(table: pd.DataFrame, config: Mapping[str, Any]) -> pd.DataFrame:
    rows = table[table["metric"] == TIED]
    counts = rows["check"].map(config["counts"])
    sizes = (counts - rows["image"]).clip(upper=SHARD)
    parts = rows.assign(size=sizes, sum=rows["value"] * sizes).groupby(["method", "check"], sort=False)[["sum", "size"]]
    shares = parts.sum()
    named = shares["sum"].div(shares["size"]).rename("tied_share").reset_index()
    return named.rename(columns={"check": "part"})


def _refused(table: pd.DataFrame) -> pd.DataFrame:
    broken = table[table["error"] != ""].drop_duplicates("method")
    return broken[["method", "status", "error"]].reset_index(drop=True)
