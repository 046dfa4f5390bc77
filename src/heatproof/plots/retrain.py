"""Remove and retrain: accuracy of networks trained on what a method leaves, and the areas under those curves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure

from ..errors import InputError
from ._ends import Line
from ._lines import line_figure
from ._rows import dressed, row_figure
from ._style import CURVE, FLOOR, MUTED, ZONE

if TYPE_CHECKING:
    from ..experiment.retrain_results import RetrainResults

CONTROL = "random"
"""The entry that removes pixels in no order."""
TITLES = {
    "roar": "Remove and retrain: test accuracy without the most salient pixels (lower is better)",
    "kar": "Keep and retrain: test accuracy with the most salient pixels alone (higher is better)",
}
AXES = {"roar": "fraction of pixels removed", "kar": "fraction of pixels kept"}
AREAS = {
    "roar": "Area under the accuracy over the fraction removed (lower is better)",
    "kar": "Area over the accuracy over the fraction kept (lower is better)",
}


def retrain_curves(results: RetrainResults, direction: str) -> Figure:
    """Accuracy over the fraction removed ("roar") or kept ("kar"), with 95 % bands over networks.

    Raises:
        InputError: the run did not measure this direction.
    """
    rows = _of(results, results.accuracies, direction)
    lines = []
    for name, part in rows.groupby("method", sort=False):
        part = part.sort_values("fraction")
        x, mean, lower, upper = ([float(v) for v in part[c]] for c in ("fraction", "mean", "lower", "upper"))
        lines.append(Line(str(name), x, mean, lower, upper, is_quiet(results, str(name))))
    best = rows.groupby("method", sort=False)["mean"].mean().sort_values(ascending=direction == "roar", kind="stable")
    unchanged = ("unchanged images", results.original)
    return line_figure(lines, [str(m) for m in best.index], TITLES[direction], AXES[direction], unchanged)


def area_bars(results: RetrainResults, direction: str) -> Figure:
    """Areas as dots with 95 % intervals, best first; the random control as a band, published values as rings.

    Raises:
        InputError: the run did not measure this direction.
    """
    rows = _of(results, results.areas, direction)
    alone = rows["method"].isin(results.config.get("pictures", ()))  # masks alone answer another question
    rows = rows.assign(alone=alone).sort_values(["alone", "area"], kind="stable")
    names = [str(m) for m in rows["method"]]
    published = bool(rows["published"].notna().any())
    note = "dot: area with its 95 % interval" + (" · ring: published" if published else "")
    chance: dict[Any, Any] = next((row for row in rows.to_dict("records") if row["method"] == chance_of(results)), {})
    note += f" · band: {chance['method']}" if chance else ""
    quiet = {name for name in names if is_quiet(results, name)}
    figure, axes = row_figure(names, quiet, AREAS[direction], note)
    if chance:
        axes.axvline(chance["area"], color=MUTED, lw=0.9, dashes=(3, 2), zorder=0)
        if math.isfinite(chance["lower"]) and math.isfinite(chance["upper"]):
            axes.axvspan(chance["lower"], chance["upper"], color=FLOOR, alpha=0.25, lw=0, zorder=0)
    for place, row in enumerate(rows.to_dict("records"), 1):
        colour = FLOOR if row["method"] in quiet else CURVE
        axes.plot([row["lower"], row["upper"]], [place] * 2, color=colour, lw=1.6, solid_capstyle="butt")
        axes.plot([row["area"]], [place], color=colour, marker="o", ms=5, mew=0)
        axes.plot([row["published"]], [place], color=ZONE, marker="o", ms=5.5, mfc="none", mew=1.1, zorder=4)
    seen = rows[["area", "lower", "upper", "published"]].to_numpy(float).ravel()
    finite = [float(v) for v in seen if math.isfinite(v)] or [0.0, 1.0]
    dressed(axes, min(finite), max(finite))
    return figure


def chance_of(results: RetrainResults) -> str:
    """The control that every gain is measured against; "" in a run without one."""
    return CONTROL if CONTROL in set(results.areas["method"]) else ""


def is_quiet(results: RetrainResults, method: str) -> bool:
    """Whether an entry is a control: random, edge, a method's blurred map, or its mask alone."""
    return method not in results.config["methods"]


def _of(results: RetrainResults, table: pd.DataFrame, direction: str) -> Any:
    rows = table[table["direction"] == direction]
    if rows.empty:
        have = list(dict.fromkeys(map(str, table["direction"])))
        raise InputError(f"direction={direction!r}: {results.folder} did not measure it; it has {have}")
    return rows
