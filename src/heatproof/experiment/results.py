"""What a run leaves, read back: the only place where rows are aggregated."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

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
    """

    image: int
    title: str
    picture: np.ndarray[Any, Any]
    stages: list[str]
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
            excess_lower, excess_upper; NaN where the floor is over .9). Stage 0 is the original: mean 1.
        floors: one row per (method, metric): floor, floor_lower, floor_upper, prior, zeros (mean share of pixels that
            are zero in both maps).
        verdicts: one row per method, worst first: method, verdict, reason, metric (the deciding one), floor, excess,
            vanished, undefined, faithfulness, faithfulness_lower, faithfulness_upper (NaN where not measured).
        refused: one row per method that could not run: method, status, error.
        strips: film strips of a few photos.
    """

    folder: Path
    config: dict[str, Any]
    table: pd.DataFrame
    curves: pd.DataFrame
    floors: pd.DataFrame
    verdicts: pd.DataFrame
    refused: pd.DataFrame
    strips: list[Strip] = field(default_factory=list)
