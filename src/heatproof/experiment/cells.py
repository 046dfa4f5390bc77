"""The rows of a run as arrays of networks and images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..checks.kinds import CHECKS
from ..checks.reasons import THRESHOLDS
from ..errors import RunError
from .files import read_rows

Cell = np.ndarray[Any, Any]
NULL_OF = {"smooth": "smooth_null"}
"""Checks that have a floor of their own."""
NETWORKS = ("null", "prior", "smooth_null", "smooth_prior")
"""Rows in which the stage is only the number of the network."""
SUPPORT = "spearman_support"

COLUMNS = ["model", "dataset", "method", "check", "stage", "metric", "image", "seed", "value", "status", "error"]
"""A tidy row. check: a check's name ("cascading"), "calibration:PAIR", "null" (original against a random network) or
"prior" (two random networks); stage: 1 and on of that check, 0 for the original; status: ok, undefined, vanished, refused
(method does not apply) or failed."""


@dataclass(frozen=True)
class Cells:
    """The values of a run as arrays of (networks, images), NaN where there is none."""

    table: pd.DataFrame
    config: dict[str, Any]

    def of(self, check: str, method: str, metric: str, stage: int | None = None) -> Cell:
        """``(S, I)``: seeds of one stage; for nulls and priors the networks. Empty where nothing was measured."""
        pivots = self._pivots
        key = (check, method, metric, 0 if check in NETWORKS else stage)
        return pivots.get(key, np.full((0, 0), np.nan))

    def vanished(self, check: str, method: str, metric: str, stage: int) -> np.ndarray[Any, Any]:
        return self._gone.get((check, method, metric, stage), np.zeros((0, 0), dtype=bool))

    @cached_property
    def _pivots(self) -> dict[tuple[Any, ...], Cell]:
        return _pivoted(self._keyed, "value", self.images)

    @cached_property
    def _gone(self) -> dict[tuple[Any, ...], np.ndarray[Any, Any]]:
        gone = self._keyed.assign(gone=(self._keyed["status"] == "vanished").astype(float))
        return {key: grid == 1 for key, grid in _pivoted(gone, "gone", self.images).items()}

    @cached_property
    def _keyed(self) -> pd.DataFrame:
        nulls = self.table["check"].isin(NETWORKS)
        return self.table.assign(place=self.table["stage"].where(~nulls, 0))

    def failed(self, check: str, method: str, judged: Sequence[int]) -> str:
        """What to say of a method that raised on more than a fifth of the maps, under the random networks of the floor or
        at one of the judged stages; "" where it did not."""
        mine = self.table[self.table["method"] == method]
        parts = [mine[mine["check"] == NULL_OF.get(check, "null")]]
        parts += [mine[(mine["check"] == check) & (mine["stage"] == stage)] for stage in judged]
        for rows in parts:
            broken = rows[rows["status"] == "failed"]
            if len(broken) > THRESHOLDS["undefined"] * len(rows):
                error = broken["error"].iloc[0]
                return f"It has no map for {len(broken) / len(rows):.0%} of what is judged; the first error: {error}"
        return ""

    @property
    def images(self) -> int:
        return int(self.config["chosen"]["images"])

    @property
    def checks(self) -> list[str]:
        return list(self.config["checks"])

    @property
    def methods(self) -> list[str]:
        return list(self.config["methods"])

    @cached_property
    def metrics(self) -> list[str]:
        measured = set(self.table["metric"].unique())
        return [m for m in dict.fromkeys([*self.config["metrics"], SUPPORT]) if m in measured]

    def plan(self, check: str) -> list[tuple[int, str, float]]:
        """Position, name and randomised share of each measured stage of a check."""
        found = self.config["check_plan"][check]
        return list(zip(found["stages"], found["names"], found["shares"], strict=True))

    @property
    def curve_checks(self) -> list[str]:
        return [c for c in self.checks if CHECKS[c].curve]


def _pivoted(rows: pd.DataFrame, column: str, images: int) -> dict[tuple[Any, ...], Cell]:
    """Grids of (seeds, images); NaN where a shard has no row, as for support-only Spearman on maps without zeros.

    A check with images of its own (planted) may have more than the run.
    """
    rows = rows[rows["image"] >= 0]  # a refused method has one row, of no image
    seed, image, values = (rows[name].to_numpy() for name in ("seed", "image", column))
    found: dict[Any, Cell] = {}
    for key, members in rows.groupby(["check", "method", "metric", "place"], sort=False).indices.items():
        seeds, which = np.unique(seed[members], return_inverse=True)
        grid = np.full((len(seeds), max(images, int(image[members].max()) + 1)), np.nan)
        grid[which, image[members]] = values[members]
        found[key] = grid
    return found


def tidy_table(folder: Path, config: dict[str, Any]) -> pd.DataFrame:
    """All rows of the finished jobs, and one for each method that was refused.

    Raises:
        RunError: jobs that are not finished.
    """
    columns: list[list[Any]] = [[] for _ in COLUMNS[2:]]
    texts: dict[Any, Any] = {}  # each once, not once a row

    def add(rows: Sequence[Any]) -> None:
        for column, values in zip(columns, zip(*rows, strict=True), strict=False):  # no rows, no values
            column.extend([texts.setdefault(v, v) for v in values] if isinstance(values[0], str) else values)

    missing = 0
    for key in config["jobs"]:
        found = read_rows(folder / "jobs" / f"{key}.json")
        missing += found is None
        add(found or [])
    if missing:
        raise RunError(
            f"{missing} of {len(config['jobs'])} jobs in {folder} are not finished; run the same command again, it does "
            "only what is missing"
        )
    for method, error in config["refused"].items():
        add([(method, c, 0, "", -1, 0, float("nan"), "refused", error) for c in config["checks"]])
    table = pd.DataFrame(dict(zip(COLUMNS[2:], columns, strict=True)))
    table.insert(0, "model", config["model"])
    table.insert(1, "dataset", config["dataset"])
    return table.astype({"value": float, "stage": int, "image": int, "seed": int})


def ordered(table: pd.DataFrame, config: dict[str, Any]) -> pd.DataFrame:
    """The rows in an order that does not depend on how the images were cut into shards."""
    ranks = {method: place for place, method in enumerate(config["methods"])}
    columns = ["check", "method", "metric", "stage", "seed", "image"]
    keys = table.assign(method=table["method"].map(lambda m: (ranks.get(m, len(ranks)), m)))
    return table.loc[keys.sort_values(columns, kind="stable").index].reset_index(drop=True)
