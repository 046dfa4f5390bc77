"""What a run leaves, read back; the modules beside this one are the only place where its rows are aggregated."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import RunError
from .cells import COLUMNS as COLUMNS
from .cells import NULL_OF, Cells, tidy_table
from .evidence import calibration, changed, curves, efficiency, floors, kept, planted
from .files import read_job
from .folder import read_config
from .judged import by_check, verdicts
from .per_image import per_image, tiles
from .photos import Photo as Photo
from .photos import kept_photos
from .pictures import ClassSheet as ClassSheet
from .pictures import Strip as Strip
from .pictures import class_sheets, film_strips


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
            that are zero in both maps), closed_form (what absolute Spearman would be from the zeros of the two maps alone,
            their magnitudes independent; NaN for other metrics). null: "null", or "smooth_null" for those of smooth.
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
            the network reads, and at the other one), gain (own - other) with gain_lower, gain_upper, chance (share of
            pixels), moved ("yes": gain_lower > 0; "no": gain_upper < .02; else "unclear").
        sheets: maps of every class of a few photos.
        photos: photos with the maps of the original network, read when they are asked for.
        changed: one row per (check, stage): changed, the share of images whose predicted class is no longer explained.
        per_image: one row per (check that judges, method, image): name, target (the explained class), metric (the deciding
            one), similarity_half, similarity_end (means over seeds), floor, status (the worst of the image's cells).
        tiles: one row per (check, method, image, stage) of the film strips: metric, similarity (of the tile that is shown).
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
    changed: pd.DataFrame = field(default_factory=pd.DataFrame)
    photos: list[Photo] = field(default_factory=list)
    per_image: pd.DataFrame = field(default_factory=pd.DataFrame)
    tiles: pd.DataFrame = field(default_factory=pd.DataFrame)

    def floor(self, method: str, metric: str, check: str = "") -> dict[Any, Any]:
        """The row of `floors` that a check of a method is judged against; empty where none was measured."""
        null = NULL_OF.get(check, "null")
        rows = self.floors[(self.floors["method"] == method) & (self.floors["metric"] == metric)]
        found = rows[rows["null"] == null].to_dict("records") if "null" in rows else rows.to_dict("records")
        return found[0] if found else {}


def reductions(folder: Path, config: dict[str, Any]) -> list[str]:
    """What to say of jobs for which memory did not suffice, in one line; none where it did for all."""
    jobs = [read_job(folder / "jobs" / f"{key}.json") for key in config["jobs"]]
    chunks = [job["chunk"] for job in jobs if job and "chunk" in job]
    if not chunks:
        return []
    return [
        f"memory ran out in {len(chunks)} of {len(jobs)} jobs: their images went through {min(chunks)} at a time, not "
        f"{config['chunk']}, and the last digits of their rows may differ"
    ]


def load(folder: Path) -> Results:
    """Read a finished run and aggregate it.

    Raises:
        RunError: no run there, one of an older heatproof, or jobs that are not finished.
    """
    config = read_config(folder)
    if "check_plan" not in config:
        raise RunError(f"{folder} was made by an older heatproof; run the audit again in a new folder")
    read_config(folder, "methods", "metrics", "refused", "jobs")
    config = {**config, "warnings": [*config.get("warnings", []), *reductions(folder, config)]}
    table = tidy_table(folder, config)
    cells = Cells(table, config)
    judged = by_check(cells)
    return Results(
        folder,
        config,
        table,
        curves(cells),
        floors(cells),
        verdicts(cells, judged),
        pd.DataFrame([(m, "refused", e) for m, e in config["refused"].items()], columns=["method", "status", "error"]),
        film_strips(folder, config),
        judged,
        calibration(cells),
        kept(cells),
        efficiency(cells),
        planted(cells),
        class_sheets(folder, config, table),
        changed(cells),
        kept_photos(folder, config),
        per_image(cells, judged),
        tiles(cells, judged),
    )
