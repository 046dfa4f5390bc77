"""What a run leaves, read back: the only place where rows are aggregated."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from ..checks.chain import DECIDING, METRICS
from ..checks.interval import estimate, excess
from ..checks.reasons import THRESHOLDS
from ..checks.verdict import WORST_FIRST, judge
from ..errors import RunError
from .files import read_job, read_maps, read_rows
from .folder import read_config

Cell = np.ndarray[Any, Any]
NO_NUMBERS: dict[str, Any] = {
    **dict.fromkeys(("floor", "excess", "excess_last", "vanished", "undefined"), float("nan")),
    "floor_badly_estimated": False,
}
NULL_OF = {"smooth": "smooth_null"}
"""Checks that have a floor of their own."""
SHOWN = (*METRICS, "spearman_support")

COLUMNS = ["model", "dataset", "method", "check", "stage", "metric", "image", "seed", "value", "status", "error"]
"""A tidy row. check: a check's name ("cascading"), "null" (original against a random network) or "prior" (two random
networks); stage: 1 to B of that check; status: ok, undefined, vanished, refused (method does not apply) or failed."""


@dataclass(frozen=True)
class Strip:
    """The film strip of one photo: its maps under the original network and under every measured stage.

    Attributes:
        image: index of the photo in the data set.
        title: what to print over it, such as "tench.jpg: tench 0.97".
        picture: the photo as the model saw it, uint8 ``(H, W, 3)``.
        stages: names of the columns, "original" first.
        maps: for each method raw float32 ``(1 + stages, C, H, W)`` or ``(1 + stages, 1, H, W)``.
        check: whose stages they are.
    """

    image: int
    title: str
    picture: np.ndarray[Any, Any]
    stages: list[str]
    maps: dict[str, np.ndarray[Any, Any]]
    check: str = "cascading"


@dataclass(frozen=True)
class ClassSheet:
    """The maps of one photo for several classes (CGI paper, figure 1).

    Attributes:
        image: index of the photo in the data set.
        title: what to print over it.
        picture: the photo as the model saw it, uint8 ``(H, W, 3)``.
        classes: names of the columns.
        target: place of the explained class among them.
        maps: for each method raw float32 ``(classes, C, H, W)``; all tiles of a method share one scale.
    """

    image: int
    title: str
    picture: np.ndarray[Any, Any]
    classes: list[str]
    target: int
    maps: dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Results:
    """Everything a report or a plot needs; neither computes anything.

    Attributes:
        folder: the run folder.
        config: what was asked and what was chosen, with versions, hashes, blocks, stages and the date.
        table: the tidy rows, columns `COLUMNS`.
        curves: one row per (check, method, metric, stage) with mean, lower, upper (95 %), defined (share of finite
            cells), share (part of the blocks randomised, 0 to 1) and the excess with its interval (excess,
            excess_lower, excess_upper; NaN where the floor is over .9).
        floors: one row per (null, method, metric): floor, floor_lower, floor_upper, prior, zeros (mean share of pixels
            that are zero in both maps), closed_form (what absolute Spearman of independent magnitudes would be with these
            shared zeros; NaN for other metrics). null: "null", or "smooth_null" for the maps of the check smooth.
        verdicts: one row per method, worst first: method, verdict, reason, metric (the deciding one), floor, excess,
            vanished, undefined, faithfulness, faithfulness_lower, faithfulness_upper (NaN where not measured).
        refused: one row per method that could not run: method, status, error.
        strips: film strips of a few photos, one set for each weight check that was asked for.
        by_check: one row per (method, check) of the checks that judge: method, check, verdict, reason, metric, floor,
            excess (at the first judged stage), excess_lower, excess_upper, excess_last.
        calibration: one row per (method, pair, level, metric): mean, lower, upper, defined. pair: a name of
            `heatproof.checks.calibration.PAIRS`; level: the share of noise of the pair "product_noise", else 0.
        kept: one row per (method, variant): classes, share, share_lower, share_upper, mass, mass_lower, mass_upper,
            expected (share under random gradients); variant: "original", "top block random", "all random".
        efficient: one row per method: rise (of the entropy of its histogram), lower, upper, before, after, bins.
        planted: one row per method of the planted-evidence control: similarity, lower, upper (signed Spearman of the maps
            of two networks that read different places), inside_own, inside_other (share of sum_c |m| at the place that
            the network reads, and at the other one), chance (share of pixels), moved (bool: own > other, in the interval).
        sheets: maps of every class of a few photos.
    """

    folder: Path
    config: dict[str, Any]
    table: pd.DataFrame
    curves: pd.DataFrame
    floors: pd.DataFrame
    verdicts: pd.DataFrame
    refused: pd.DataFrame
    strips: list[Strip] = field(default_factory=list)
    by_check: pd.DataFrame = field(default_factory=pd.DataFrame)
    calibration: pd.DataFrame = field(default_factory=pd.DataFrame)
    kept: pd.DataFrame = field(default_factory=pd.DataFrame)
    efficient: pd.DataFrame = field(default_factory=pd.DataFrame)
    planted: pd.DataFrame = field(default_factory=pd.DataFrame)
    sheets: list[ClassSheet] = field(default_factory=list)

    def floor(self, method: str, metric: str, check: str = "") -> dict[Any, Any]:
        """The row of `floors` that a check of a method is judged against; empty where none was measured."""
        null = NULL_OF.get(check, "null")
        rows = self.floors[(self.floors["method"] == method) & (self.floors["metric"] == metric)]
        found = rows[rows["null"] == null].to_dict("records") if "null" in rows else rows.to_dict("records")
        return found[0] if found else {}


def load(folder: Path) -> Results:
    """Read a finished run and aggregate it.

    Raises:
        RunError: no run there, or jobs that are not finished.
    """
    config = read_config(folder)
    table = _table(folder, config)
    cells = Cells(table, config)
    return Results(
        folder,
        config,
        table,
        _curves(cells),
        _floors(cells),
        _verdicts(cells),
        pd.DataFrame([(m, "refused", e) for m, e in config["refused"].items()], columns=["method", "status", "error"]),
        _strips(folder, config),
    )


@dataclass(frozen=True)
class Cells:
    """The values of a run as arrays of (networks, images), NaN where there is none."""

    table: pd.DataFrame
    config: dict[str, Any]

    def of(self, check: str, method: str, metric: str, stage: int | None = None) -> Cell:
        """``(S, I)``: seeds of one stage; for "null" and "prior" the networks. Empty where nothing was measured."""
        pivots = self._pivots
        key = (check, method, metric, 0 if check in ("null", "prior") else stage)
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
        nulls = self.table["check"].isin(["null", "prior"])
        return self.table.assign(place=self.table["stage"].where(~nulls, 0))

    def failed(self, check: str, method: str) -> str:
        """What to say of a method that raised on more than a fifth of the maps; "" where it did not."""
        rows = self.table[(self.table["method"] == method) & self.table["check"].isin([check, "null"])]
        broken = rows[rows["status"] == "failed"]
        if len(broken) <= THRESHOLDS["undefined"] * len(rows):
            return ""
        return f"It failed on {len(broken) / len(rows):.0%} of the maps; the first error: {broken['error'].iloc[0]}"

    @property
    def images(self) -> int:
        return int(self.config["chosen"]["images"])

    @property
    def checks(self) -> list[str]:
        return list(self.config["checks"])

    @property
    def methods(self) -> list[str]:
        return list(self.config["methods"])

    @property
    def metrics(self) -> list[str]:
        return [m for m in SHOWN if m in set(self.table["metric"])]


def _pivoted(rows: pd.DataFrame, column: str, images: int) -> dict[tuple[Any, ...], Cell]:
    """Grids of (seeds, images); NaN where a shard has no row, as for support-only Spearman on maps without zeros."""
    found = {}
    for key, group in rows.groupby(["check", "method", "metric", "place"], sort=False):
        grid = group.pivot(index="seed", columns="image", values=column)
        found[tuple(key)] = grid.sort_index().reindex(columns=range(images)).to_numpy()
    return found


def _table(folder: Path, config: dict[str, Any]) -> pd.DataFrame:
    rows: list[Any] = []
    missing = 0
    for key in config["jobs"]:
        found = read_rows(folder / "jobs" / f"{key}.json")
        missing += found is None
        rows += found or []
    if missing:
        raise RunError(
            f"{missing} of {len(config['jobs'])} jobs in {folder} are not finished; run the same command again, it does "
            "only what is missing"
        )
    for method, error in config["refused"].items():
        rows += [(method, c, 0, "", -1, 0, float("nan"), "refused", error) for c in config["checks"]]
    table = pd.DataFrame(rows, columns=COLUMNS[2:])
    table.insert(0, "model", config["model"])
    table.insert(1, "dataset", config["dataset"])
    return table.astype({"value": float, "stage": int, "image": int, "seed": int})


def _curves(cells: Cells) -> pd.DataFrame:
    places = product(cells.checks, cells.methods, cells.metrics, cells.config["stages"])
    rows = [_curve_row(cells, *place) for place in places if cells.of(*place).size]
    columns = ["check", "method", "metric", "stage", "share", "mean", "lower", "upper", "defined"]
    return pd.DataFrame(rows, columns=[*columns, "excess", "excess_lower", "excess_upper"])


def _curve_row(cells: Cells, check: str, method: str, metric: str, stage: int) -> tuple[Any, ...]:
    seen = cells.of(check, method, metric, stage)
    floor = cells.of("null", method, metric)  # support-only Spearman may be missing there
    plain, over = estimate(seen), excess(seen, floor if floor.size else np.full((1, seen.shape[1]), np.nan))
    share = (1 if check == "independent" else stage) / len(cells.config["blocks"])
    bounds = (plain.mean, plain.lower, plain.upper, plain.share, over.mean, over.lower, over.upper)
    return (check, method, metric, stage, share, *bounds)


def _floors(cells: Cells) -> pd.DataFrame:
    rows = []
    for method in cells.methods:
        zeros = _mean(cells.of("null", method, "zeros"))
        for metric in cells.metrics:
            found = cells.of("null", method, metric)
            if found.size:
                floor = estimate(found)
                prior = _mean(cells.of("prior", method, metric))
                rows.append((method, metric, floor.mean, floor.lower, floor.upper, prior, zeros))
    return pd.DataFrame(rows, columns=["method", "metric", "floor", "floor_lower", "floor_upper", "prior", "zeros"])


def _verdicts(cells: Cells) -> pd.DataFrame:
    rows = [_verdict(cells, method) for method in cells.methods]
    found = pd.DataFrame(rows)
    rank = {name: place for place, name in enumerate(WORST_FIRST)}
    return found.sort_values("verdict", key=lambda v: v.map(rank), kind="stable").reset_index(drop=True)


def _verdict(cells: Cells, method: str) -> dict[str, Any]:
    check = next((c for c in cells.checks if c != "independent"), None)
    faith = _faithfulness(cells.of("faithfulness", method, "gain", 0))
    if check is None:
        reason = "Independent randomisation alone carries no verdict; add the check cascading."
        return {"method": method, "verdict": "undecided", "reason": reason, "metric": "", **NO_NUMBERS, **faith}
    metrics = [m for m in DECIDING if m in cells.config["metrics"]]
    stages = cells.config["stages"]
    seen = {m: np.stack([cells.of(check, method, m, s) for s in stages]) for m in metrics}
    gone = np.any([[cells.vanished(check, method, m, s) for s in stages] for m in metrics], axis=0)
    floor = {m: cells.of("null", method, m) for m in metrics}
    found = judge(seen, floor, vanished=gone, positions=stages, blocks=len(cells.config["blocks"]))
    failed = cells.failed(check, method)
    return {
        "method": method,
        "verdict": "undefined" if failed else found.verdict,
        "reason": failed or found.reason,
        "metric": found.metric,
        "floor": found.floor.mean,
        "excess": found.excess_half.mean,
        "excess_last": found.excess_last.mean,
        "vanished": found.vanished,
        "undefined": found.undefined,
        "floor_badly_estimated": found.floor_badly_estimated,
        **faith,
    }


def _faithfulness(gains: Cell) -> dict[str, float]:
    names = ("faithfulness", "faithfulness_lower", "faithfulness_upper")
    if not gains.size:
        return dict.fromkeys(names, float("nan"))
    gain = estimate(gains)
    return dict(zip(names, (gain.mean, gain.lower, gain.upper), strict=True))


def _strips(folder: Path, config: dict[str, Any]) -> list[Strip]:
    names = {key: read_job(folder / "jobs" / f"{key}.json") for key in config["jobs"]}
    check = config["checks"][0]
    chains = {k: j for k, j in names.items() if j and j["job"]["kind"] == "chain" and j["job"]["check"] == check}
    return [
        strip
        for i in config["strips"]
        for j in chains.values()
        if i in j["job"]["keep"] and j["job"]["seed"] == 0
        for strip in [_strip(folder, config, j, i, check)]
    ]


def _strip(folder: Path, config: dict[str, Any], job: dict[str, Any], image: int, check: str) -> Strip:
    held = read_maps(folder / "maps" / job["maps"])
    places = [0, *config["stages"]]
    names = ["original", *[f"{s}: {_stage_name(config, check, s)}" for s in config["stages"]]]
    maps = {}
    for method in config["methods"]:
        found = [held.get(f"{method}|{image}|{check}|{p}") for p in places]
        shape = next((f.shape for f in found if f is not None), None)
        if shape is not None:
            maps[method] = np.stack([np.full(shape, np.nan, np.float32) if f is None else f.numpy() for f in found])
    with Image.open(folder / "photos" / f"{image}.png") as file:
        picture = np.asarray(file.convert("RGB"))
    return Strip(image, _title(config, image), picture, names, maps)


def _stage_name(config: dict[str, Any], check: str, stage: int) -> str:
    blocks = [b["name"] for b in config["blocks"]]
    return str(blocks[stage - 1] if check == "reverse" else blocks[-stage])


def _title(config: dict[str, Any], image: int) -> str:
    row = config["images"][image]
    chance = f" ({100 * row['probability']:.0f} %)" if "probability" in row else ""
    return f"{row['name']}: {row.get('predicted_name', row['predicted'])}{chance}"


def _mean(cells: Cell) -> float:
    return float(np.nanmean(cells)) if np.isfinite(cells).any() else float("nan")
