"""What stands behind a verdict, photo by photo: similarities of each image, and of each tile of the film strips."""

from __future__ import annotations

import pandas as pd

from ..checks.compared import DECIDING
from .cells import NULL_OF, Cells

HALF = 0.5
"""Share of the network from which on a check is judged."""
WORST_FIRST = ("refused", "failed", "undefined", "vanished", "ok")
COLUMNS = [
    "check",
    "method",
    "image",
    "name",
    "target",
    "metric",
    "similarity_half",
    "similarity_end",
    "floor",
    "status",
]
TILE_COLUMNS = ["check", "method", "image", "stage", "metric", "similarity"]


def per_image(cells: Cells, judged: pd.DataFrame) -> pd.DataFrame:
    """One row per (check that judges, method, image), columns `COLUMNS`; the metric is the one that decided.

    Similarities are means over the seeds that have a value, the floor is the mean over the random networks, NaN where there
    is none; status is the worst of the cells at half and at the end.
    """
    parts = [_of_check(cells, judged, check) for check in judged["check"].unique()]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)


def _of_check(cells: Cells, judged: pd.DataFrame, check: str) -> pd.DataFrame:
    deciding = _deciding(cells, judged, check)
    plan = cells.plan(check)
    half, last = next(stage for stage, _, share in plan if share >= HALF), plan[-1][0]
    seen = deciding[(deciding["check"] == check) & deciding["stage"].isin((half, last))]
    found = pd.DataFrame(
        {
            "similarity_half": _means(seen[seen["stage"] == half]),
            "similarity_end": _means(seen[seen["stage"] == last]),
            "floor": _means(deciding[deciding["check"] == NULL_OF.get(check, "null")]),
            "status": _worst(seen),
        }
    ).loc[lambda table: table["status"].notna()]
    found = found.reset_index().assign(check=check)
    rows = cells.config["images"]
    names = {i: row.get("name", f"image {i}") for i, row in enumerate(rows)}
    targets = {i: row.get("target_name", row.get("target")) for i, row in enumerate(rows)}
    found = found.assign(name=found["image"].map(names), target=found["image"].map(targets))
    found["metric"] = found["method"].map(_metrics(cells, judged, check))
    rank = {method: place for place, method in enumerate(cells.methods)}
    found = found.sort_values(["method", "image"], key=lambda c: c.map(rank) if c.name == "method" else c)
    return found[COLUMNS].reset_index(drop=True)


def tiles(cells: Cells, judged: pd.DataFrame) -> pd.DataFrame:
    """One row per tile of the film strips but the originals', columns `TILE_COLUMNS`: its similarity to the original map.

    The maps of the strips are those of the first seed, and so are their similarities.
    """
    parts = []
    for check in cells.curve_checks:
        rows = _deciding(cells, judged, check)
        kept = rows["image"].isin(cells.config.get("strips") or ()) & (rows["seed"] == 0)
        parts.append(rows[kept & (rows["check"] == check)])
    found = pd.concat(parts, ignore_index=True) if parts else cells.table.iloc[:0]
    return found.rename(columns={"value": "similarity"})[TILE_COLUMNS]


def _metrics(cells: Cells, judged: pd.DataFrame, check: str) -> dict[str, str]:
    """For each method the metric that decided; under a check without a verdict the first that could."""
    rows = judged[judged["check"] == check]
    decided = dict(zip(rows["method"], rows["metric"], strict=True))
    first = next((metric for metric in DECIDING if metric in cells.metrics), "")
    return {method: str(decided.get(method) or first) for method in cells.methods}


def _deciding(cells: Cells, judged: pd.DataFrame, check: str) -> pd.DataFrame:
    """The rows of the metric that decides, of images alone."""
    table = cells.table
    return table[(table["metric"] == table["method"].map(_metrics(cells, judged, check))) & (table["image"] >= 0)]


def _means(rows: pd.DataFrame) -> pd.Series[float]:
    return rows.groupby(["method", "image"])["value"].mean()


def _worst(rows: pd.DataFrame) -> pd.Series[str]:
    rank = {status: place for place, status in enumerate(WORST_FIRST)}
    worst = rows["status"].map(rank).groupby([rows["method"], rows["image"]]).min()
    return worst.map(dict(enumerate(WORST_FIRST)))
