"""The calibration of products: how alike two maps are that share the input and part of the gradient."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..experiment.results import Results
from ._style import CURVE, INK, MUTED, PAPER, fitted, in_reading_order, metric_name
from .curves import dress

PAIR = "product_noise"
COLUMNS = 3


def noise_curves(results: Results) -> Figure:
    """One small panel per metric: similarity of x (g + s n) and x (g + s n') over the noise level s.

    Levels stand side by side at equal distance: they grow about threefold from one to the next.
    """
    rows = noise_rows(results)
    metrics = in_reading_order(rows["metric"])
    high = math.ceil(len(metrics) / COLUMNS)
    figure = Figure(figsize=(7.2, 1.7 * high + 0.3), dpi=150, facecolor=PAPER, layout="constrained")
    drawn = figure.subplots(high, COLUMNS, sharey=True, squeeze=False).flatten()
    levels = sorted(float(v) for v in rows["level"].unique())
    for axes, metric in zip(drawn, metrics, strict=False):
        _panel(axes, rows[rows["metric"] == metric].sort_values("level"), levels)
        text, size = fitted(metric_name(metric), 2.1, 8)
        axes.set_title(text, fontsize=size, loc="left", color=INK, parse_math=False)
    for axes in drawn[len(metrics) :]:
        axes.set_axis_off()
    figure.supxlabel("standard deviation of the noise, in that of the gradient", fontsize=7, color=MUTED)
    return figure


def _panel(axes: Axes, part: pd.DataFrame, levels: list[float]) -> None:
    x = [levels.index(float(level)) for level in part["level"]]
    axes.fill_between(x, part["lower"], part["upper"], color=CURVE, alpha=0.22, lw=0)
    axes.plot(x, part["mean"], color=CURVE, lw=1.4, marker="o", ms=2.6, clip_on=False)
    axes.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
    axes.set(xlim=(0, max(len(levels) - 1, 1)), yticks=[0, 0.5, 1])
    dress(axes)


def noise_rows(results: Results) -> pd.DataFrame:
    """The rows of the calibration that `noise_curves` draws."""
    return results.calibration[results.calibration["pair"] == PAIR] if len(results.calibration) else results.calibration
