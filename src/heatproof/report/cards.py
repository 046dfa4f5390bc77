"""One card per method: its verdict, the reason, the numbers behind it and the curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ..checks.compared import DECIDING
from ..experiment.results import Results
from ..plots._select import bottom, checks_of, first_check, metrics_of, without_verdict
from ..plots._style import is_control, metric_name
from ..plots.combined import combined
from .check_words import short
from .small import drawn, half_and_last
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
class Chip:
    """The verdict of one check, in few words."""

    check: str
    verdict: str


@dataclass(frozen=True)
class Card:
    """All that is said about one method; verdict, reason, facts and panels are those of the first check that judges.

    Verdict and reason are "" where no check that judges was asked for.
    """

    method: str
    verdict: str
    shape: str
    reason: str
    control: bool
    facts: list[Fact]
    panels: list[Panel]
    chips: list[Chip]
    remark: str = ""


def cards(results: Results) -> list[Card]:
    """The cards in the order of the verdicts, worst first; without any verdict only those that show something."""
    if not without_verdict(results):
        return [_card(results, row) for row in results.verdicts.to_dict("records")]
    rows = results.verdicts.assign(verdict="", reason="").to_dict("records")
    return [card for card in (_card(results, row) for row in rows) if card.panels or card.facts]


def overviews(results: Results) -> list[Panel]:
    """All methods in one figure, for each deciding metric that was measured, under the first check if it has stages."""
    first = first_check(results)
    have = results.curves[results.curves["check"] == first]["metric"]
    metrics = [m for m in DECIDING if m in set(have)] if first in checks_of(results, staged=True) else []
    return [
        Panel(metric_name(m), True, inline_svg(combined(results, m), f"o{i}-", _overview_text(results, m)))
        for i, m in enumerate(metrics)
    ]


def _card(results: Results, row: dict[Any, Any]) -> Card:
    method, verdict = str(row["method"]), str(row["verdict"])
    check = first_check(results)
    curves = results.curves[(results.curves["method"] == method) & (results.curves["check"] == check)]
    staged = check in checks_of(results, staged=True)
    metrics = [m for m in metrics_of(results, check) if m in set(curves["metric"])] if staged else []
    panels = [
        Panel(metric_name(m), m in DECIDING, drawn(results, method, m, check, bottom(results, m))) for m in metrics
    ]
    control = is_control(method, results.config)
    shape, reason = SHAPES.get(verdict, "diamond"), str(row["reason"])
    remark = str((results.config.get("remarks") or {}).get(method, ""))
    chips = _chips(results, method)
    return Card(method, verdict, shape, reason, control, _facts(results, row), panels, chips, remark)


def _chips(results: Results, method: str) -> list[Chip]:
    """The verdict of every check, where more than one judged."""
    table = results.by_check
    if not len(table) or table["check"].nunique() < 2:
        return []
    rows = table[table["method"] == method].to_dict("records")
    return [Chip(short(str(row["check"])), str(row["verdict"])) for row in rows]


def _facts(results: Results, row: dict[Any, Any]) -> list[Fact]:
    found = _judged_facts(results, row) if row["verdict"] else []
    if measured(row.get("faithfulness")):
        found.append(Fact("faithfulness", number(row["faithfulness"]), _interval(row, "faithfulness")))
    return found + [Fact(k, percent(row[k])) for k in ("undefined", "vanished") if row.get(k, 0) > 0]


def _judged_facts(results: Results, row: dict[Any, Any]) -> list[Fact]:
    check, method, metric = first_check(results), str(row["method"]), str(row["metric"])
    curves = results.curves[results.curves["check"] == check]
    half, last = half_and_last(curves[(curves["method"] == method) & (curves["metric"] == metric)])
    band = results.floor(method, metric, check)
    facts = [Fact("null floor", number(row["floor"]), interval(band.get("floor_lower"), band.get("floor_upper")))]
    staged = check in checks_of(results, staged=True)
    if staged:
        facts.append(Fact("excess at half", number(half.get("excess")), _interval(half, "excess")))
    return [
        *facts,
        Fact("excess at end" if staged else "excess", number(last.get("excess")), _interval(last, "excess")),
    ]


def _interval(row: dict[Any, Any], name: str) -> str:
    return interval(row.get(f"{name}_lower"), row.get(f"{name}_upper"))


def _overview_text(results: Results, metric: str) -> str:
    rows = results.curves
    rows = rows[(rows["metric"] == metric) & (rows["check"] == first_check(results))]
    ends = [
        f"{method} {number(half_and_last(part)[0].get('mean'))}" for method, part in rows.groupby("method", sort=False)
    ]
    return f"{metric_name(metric)} similarity halfway: " + ", ".join(ends)
