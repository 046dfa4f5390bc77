"""One card per method: its verdict, what it means for using the map, and the evidence behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ..checks.compared import DECIDING
from ..checks.verdict import WORST_FIRST
from ..experiment.results import Results
from ..plots._select import bottom, checks_of, first_check, metrics_of, without_verdict
from ..plots._style import is_control, metric_name
from .check_words import short
from .film import Film
from .frames import Frames, frames
from .gauge import gauge
from .photo_table import PhotoTable, photo_table
from .small import drawn, half_and_last
from .use import held, use
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
    """All that is said about one method; everything but chips and faithfulness is of the first check that judges.

    Attributes:
        verdict, reason, use, held, gauge: "" where no check that judges was asked for.
        worse: short names of the checks under which its verdict is worse.
        frames: its film strips; photos: its numbers for each photo, None where the run has none.
    """

    method: str
    verdict: str
    shape: str
    reason: str
    control: bool
    facts: list[Fact]
    panels: list[Panel]
    chips: list[Chip]
    remark: str
    use: str
    held: str
    gauge: Markup
    worse: list[str]
    frames: list[Frames]
    photos: PhotoTable | None


def cards(results: Results, films: Sequence[Film] = ()) -> list[Card]:
    """The cards in the order of the verdicts, worst first; without any verdict only those that show something.

    Args:
        films: those of `results.strips`, in their order; none leaves the films of the cards out.
    """
    judged = not without_verdict(results)
    rows = results.verdicts if judged else results.verdicts.assign(verdict="", reason="")
    every = [_card(results, films, row) for row in rows.to_dict("records")]
    return [card for card in every if judged or card.panels or card.facts]


def _card(results: Results, films: Sequence[Film], row: dict[Any, Any]) -> Card:
    method, verdict, check = str(row["method"]), str(row["verdict"]), first_check(results)
    control, chips = is_control(method, results.config), _chips(results, method)
    return Card(
        method, verdict, SHAPES.get(verdict, "diamond"), str(row["reason"]), control, _facts(results, row),
        _panels(results, method, check), chips, str((results.config.get("remarks") or {}).get(method, "")),
        use(verdict, check, control), held(results, row, check) if verdict else "",
        gauge(results, row, check) if verdict else Markup(""),
        [chip.check for chip in chips if _rank(chip.verdict) < _rank(verdict)],
        frames(results, films, method, check) if films else [], photo_table(results, method, check),
    )  # fmt: skip


def _panels(results: Results, method: str, check: str) -> list[Panel]:
    if check not in checks_of(results, staged=True):
        return []
    curves = results.curves[(results.curves["method"] == method) & (results.curves["check"] == check)]
    metrics = [m for m in metrics_of(results, check) if m in set(curves["metric"])]
    return [Panel(metric_name(m), m in DECIDING, drawn(results, method, m, check, bottom(results, m))) for m in metrics]


def _rank(verdict: str) -> int:
    return WORST_FIRST.index(verdict) if verdict in WORST_FIRST else len(WORST_FIRST)


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
