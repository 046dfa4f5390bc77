"""The planted evidence: does a map move with the place that its network reads?"""

from __future__ import annotations

from ..experiment.evidence import STAYS
from ..experiment.results import Results
from ..plots import planted_bars
from ..plots.checks import MOVED
from .check_words import caveat
from .extra_sections import Row, by_method
from .parts import Cell, Drawing, Section, Table
from .svg import inline_svg
from .words import interval, number, percent

PLANTED = (
    "Permuted labels alone do not prove a map wrong: where the object is the only evidence, a good map need not move. So "
    "two networks are trained on the same pictures, each to read another patch of them. A map that shows what its network "
    "reads must move from one patch to the other: yes, where more of the map lies inside the patch that is read than "
    f"inside the other; no, where any difference is under {percent(STAYS)} of the map; unclear, where the photos do not "
    "suffice to say."
)


def planted_section(results: Results) -> Section | None:
    """Whether maps move with the evidence, under the labels if they were asked for; None where it was not measured."""
    if not len(results.planted):
        return None
    under = "labels" in set(results.curves["check"]) or bool(results.config.get("labels"))
    rows = by_method(results, results.planted)
    cells = {m: [Cell(str(r["moved"]), verdict=MOVED[str(r["moved"])]), Cell(percent(r["inside_own"])),
                 Cell(percent(r["inside_other"])), Cell(_points(r, "gain"), _interval_of_points(r)),
                 Cell(percent(r["chance"])), Cell(number(r["similarity"]), interval(r["lower"], r["upper"]))]
             for m, r in rows.items()}  # fmt: skip
    columns = ["did the map move?", "inside the patch it reads", "inside the other", "difference, %", "by chance",
               "similarity of the two maps"]  # fmt: skip
    said = ", ".join(f"{m} {r['moved']}" for m, r in rows.items())
    drawing = Drawing("", inline_svg(planted_bars(results), "p-", f"Planted evidence, did the map move? {said}"))
    return Section("planted", "Planted evidence", "" if under else "Planted", [PLANTED], caveat(results.config, "planted"),
                   under=under, drawings=[drawing], tables=[Table("", "method", columns, list(cells.items()))])  # fmt: skip


def _points(row: Row, name: str) -> str:
    return number(100 * float(row[name]), 1)


def _interval_of_points(row: Row) -> str:
    return interval(100 * row["gain_lower"], 100 * row["gain_upper"], 1)
