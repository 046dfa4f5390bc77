"""One card per method: its verdict, the reason, the numbers behind it and the curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from ..checks.chain import DECIDING
from ..experiment.results import Results
from ..plots._style import is_control, metric_name
from ..plots.combined import combined
from ..plots.curves import HALF, bottom, panel
from .svg import inline_svg
from .words import SHAPES, interval, measured, number, percent


@dataclass(frozen=True)
class Panel:
    """One small curve: ``decides`` says whether its metric can decide a verdict."""

    title: str
    decides: bool
    svg: Markup


@dataclass(frozen=True)
class Fact:
    """A number with its 95 % interval, ready to print."""

    label: str
    value: str
    interval: str = ""


@dataclass(frozen=True)
class Card:
    """All that is said about one method."""

    method: str
    verdict: str
    shape: str
    reason: str
    control: bool
    facts: list[Fact]
    panels: list[Panel]


def cards(results: Results) -> list[Card]:
    """The cards in the order of the verdicts, worst first."""
    return [_card(results, row, f"c{place}-") for place, row in enumerate(results.verdicts.to_dict("records"))]


def overviews(results: Results) -> list[Panel]:
    """All methods in one figure, for each deciding metric that was measured."""
    metrics = [m for m in DECIDING if m in set(results.curves["metric"])]
    return [
        Panel(metric_name(m), True, inline_svg(combined(results, m), f"o{i}-", _overview_text(results, m)))
        for i, m in enumerate(metrics)
    ]


def half_and_last(rows: pd.DataFrame) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Of one curve the first stage with half of the blocks randomised, and the last one; empty where there is none."""
    rows = rows[rows["stage"] > 0].sort_values("stage")
    half = rows[rows["share"] >= HALF].to_dict("records")
    return (half[0] if half else {}), (rows.to_dict("records")[-1] if len(rows) else {})


def _card(results: Results, row: dict[Any, Any], prefix: str) -> Card:
    method, verdict = str(row["method"]), str(row["verdict"])
    curves = results.curves[results.curves["method"] == method]
    panels = [
        _panel(results, method, str(metric), str(check), f"{prefix}{place}-")
        for place, (check, metric) in enumerate(curves[["check", "metric"]].drop_duplicates().itertuples(index=False))
    ]
    control = is_control(method, results.config)
    return Card(
        method, verdict, SHAPES.get(verdict, "diamond"), str(row["reason"]), control, _facts(results, row), panels
    )


def _facts(results: Results, row: dict[Any, Any]) -> list[Fact]:
    floors = results.floors
    floor = floors[(floors["method"] == row["method"]) & (floors["metric"] == row["metric"])].to_dict("records")
    curves = results.curves
    half, last = half_and_last(
        curves[
            (curves["method"] == row["method"])
            & (curves["metric"] == row["metric"])
            & (curves["check"] == curves["check"].iloc[0])
        ]
    )
    band = floor[0] if floor else {}
    facts = [
        Fact("null floor", number(row["floor"]), interval(band.get("floor_lower"), band.get("floor_upper"))),
        Fact("excess at half", number(half.get("excess")), _interval(half, "excess")),
        Fact("excess at end", number(last.get("excess")), _interval(last, "excess")),
    ]
    if measured(row.get("faithfulness")):
        facts.append(Fact("faithfulness", number(row["faithfulness"]), _interval(row, "faithfulness")))
    return facts + [Fact(k, percent(row[k])) for k in ("undefined", "vanished") if row.get(k, 0) > 0]


def _interval(row: dict[Any, Any], name: str) -> str:
    return interval(row.get(f"{name}_lower"), row.get(f"{name}_upper"))


def _panel(results: Results, method: str, metric: str, check: str, prefix: str) -> Panel:
    figure = Figure(figsize=(2.1, 1.3), facecolor="none")
    panel(figure.add_axes((0.12, 0.16, 0.85, 0.8)), results, method, metric, check, bottom(results, metric))
    several = results.curves["check"].nunique() > 1
    title = f"{metric_name(metric)}, {check}" if several else metric_name(metric)
    return Panel(title, metric in DECIDING, inline_svg(figure, prefix, _panel_text(results, method, metric, check)))


def _panel_text(results: Results, method: str, metric: str, check: str) -> str:
    rows, floors = results.curves, results.floors
    half, last = half_and_last(rows[(rows["method"] == method) & (rows["metric"] == metric) & (rows["check"] == check)])
    floor = floors[(floors["method"] == method) & (floors["metric"] == metric)]["floor"].tolist()
    return (
        f"{metric_name(metric)} similarity of {method} maps to the original: 1 at the start, "
        f"{number(half.get('mean'))} with half of the blocks randomised, {number(last.get('mean'))} at the end; "
        f"null floor {number(floor[0] if floor else None)}"
    )


def _overview_text(results: Results, metric: str) -> str:
    rows = results.curves[results.curves["metric"] == metric]
    ends = [
        f"{method} {number(half_and_last(part)[0].get('mean'))}" for method, part in rows.groupby("method", sort=False)
    ]
    return f"{metric_name(metric)} similarity with half of the blocks randomised: " + ", ".join(ends)
