"""The numbers of each photo: worked out again from the tidy rows, row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

import heatproof as hp
from heatproof.experiment.per_image import COLUMNS, WORST_FIRST
from test_audit import audited, vanishes

METHODS = {"gradient": hp.gradient, "vanishes": vanishes, "edge_map": hp.edge_map}


def mean(rows: pd.DataFrame) -> float:
    values = [v for v in rows["value"] if np.isfinite(v)]
    return float(sum(values) / len(values)) if values else float("nan")


def test_each_photo_has_the_means_of_its_own_cells(tmp_path: Path) -> None:
    audit = audited(tmp_path, methods=METHODS)
    found = pd.read_csv(audit.folder / "per_image.csv")
    assert list(found.columns) == COLUMNS
    assert len(found) == len(METHODS) * 10
    plan = audit.results.config["check_plan"]["cascading"]
    half, last = next(s for s, share in zip(plan["stages"], plan["shares"], strict=True) if share >= 0.5), 4
    deciding = dict(zip(audit.verdicts["method"], audit.verdicts["metric"], strict=True))
    for row in found.to_dict("records"):
        mine = audit.table[(audit.table["method"] == row["method"]) & (audit.table["image"] == row["image"])]
        mine = mine[mine["metric"] == deciding[row["method"]]]
        cascade = mine[mine["check"] == "cascading"]
        wanted = [mean(cascade[cascade["stage"] == s]) for s in (half, last)] + [mean(mine[mine["check"] == "null"])]
        shown = [row["similarity_half"], row["similarity_end"], row["floor"]]
        np.testing.assert_allclose(shown, wanted, atol=1e-12)
        statuses = set(cascade.loc[cascade["stage"].isin((half, last)), "status"])
        assert row["status"] == min(statuses, key=WORST_FIRST.index)
        assert row["metric"] == deciding[row["method"]]
    assert set(found.loc[found["method"] == "vanishes", "status"]) == {"vanished"}


def test_each_tile_has_the_similarity_of_the_map_that_it_shows(tmp_path: Path) -> None:
    results = audited(tmp_path, methods=METHODS).results
    strip = results.strips[1]
    rows = results.tiles[(results.tiles["method"] == "gradient") & (results.tiles["image"] == strip.image)]
    assert len(rows) == len(strip.stages) - 1
    maps = torch.from_numpy(strip.maps["gradient"])
    for row in rows.to_dict("records"):
        absolute = row["metric"] == "spearman_abs"
        again = hp.spearman(maps[:1], maps[row["stage"] : row["stage"] + 1], absolute=absolute).item()
        assert abs(again - row["similarity"]) < 1e-5
