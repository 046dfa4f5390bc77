"""The calibration of products: how alike two maps are that share the input and part of the gradient."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ..experiment.results import Results
from ._style import CURVE, INK, MUTED, PAPER, metric_name
from .curves import dress

PAIR = "product_noise"


def noise_curves(results: Results) -> Figure:
    """One small panel per metric: similarity of x (g + s n) and x (g + s n') over the noise level s.

    Levels stand side by side at equal distance: they grow about threefold from one to the next.
    """
    rows = noise_rows(results)
    metrics = [str(m) for m in rows["metric"].unique()]
    figure = Figure(figsize=(1.9 * max(len(metrics), 1) + 0.3, 1.9), dpi=150, facecolor=PAPER, layout="constrained")
    levels = sorted(float(v) for v in rows["level"].unique())
    places = {level: place for place, level in enumerate(levels)}
    drawn = figure.subplots(1, max(len(metrics), 1), sharey=True, squeeze=False).flatten()
    for axes, metric in zip(drawn, metrics, strict=False):
        part: Any = rows[rows["metric"] == metric].sort_values("level")
        x = [places[float(level)] for level in part["level"]]
        axes.fill_between(x, part["lower"], part["upper"], color=CURVE, alpha=0.22, lw=0)
        axes.plot(x, part["mean"], color=CURVE, lw=1.4, marker="o", ms=2.6, clip_on=False)
        axes.set_xticks(list(places.values()), [f"{level:g}" for level in levels])
        axes.set(xlim=(0, max(len(levels) - 1, 1)), yticks=[0, 0.5, 1])
        axes.set_title(metric_name(metric), fontsize=7.5, loc="left", color=INK, parse_math=False)
        dress(axes)
    figure.supxlabel("standard deviation of the noise, in that of the gradient", fontsize=7, color=MUTED)
    return figure


def noise_rows(results: Results) -> pd.DataFrame:
    """The rows of the calibration that `noise_curves` draws."""
    return results.calibration[results.calibration["pair"] == PAIR] if len(results.calibration) else results.calibration
