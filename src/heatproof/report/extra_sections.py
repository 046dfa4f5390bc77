"""The sections of checks with numbers of their own: labels with gates, entropy, kept share."""

from __future__ import annotations

from typing import Any

from ..experiment.results import Results
from ..plots import efficient_bars, kept_bars
from ..plots._select import ranked
from ..plots.checks import VARIANTS
from .check_sections import bars, title
from .check_words import CHECKS, caveat
from .parts import Cell, Drawing, More, Section, Table
from .svg import inline_svg
from .words import interval, number, percent

Row = dict[Any, Any]
EFFICIENT = (
    "How much more complex a map becomes when all weights are random: the rise of the entropy of its histogram, as a share "
    "of what it was, as the mean over photos of each photo's own rise. A map that follows the network rises; 0 means that "
    "nothing changed."
)
ENTROPIES = (
    "Means over photos. Photos whose maps have little entropy count more in the mean rise than here, so that the two may "
    "point apart."
)
KEPT = (
    "A competition between the classes keeps a pixel only where the explained class beats every other. How much does it "
    "keep of a trained network, and how much of a random one?"
)


def label_section(results: Results) -> Section | None:
    """Label randomisation with its gates; None where it was not asked for."""
    record = results.config.get("labels")
    measured = "labels" in set(results.curves["check"])
    return _labels(results, dict(record or {}), measured) if measured or record else None


def efficient_section(results: Results) -> Section | None:
    """The entropy before and after full randomisation; None where it was not measured."""
    table = results.efficient
    if not len(table):
        return None
    rows = by_method(results, table)
    rises = [(m, [Cell(number(r["rise"]), interval(r["lower"], r["upper"]))]) for m, r in rows.items()]
    means = [(m, [Cell(number(r["before"])), Cell(number(r["after"])), Cell(str(r["bins"]))]) for m, r in rows.items()]
    drawing = Drawing("", inline_svg(efficient_bars(results), "e-", "Rise of entropy: " + _listed(rows, "rise")))
    more = [
        More("The rise in numbers", tables=[Table("", "method", ["rise"], rises)]),
        More("Entropy of the maps", tables=[Table(ENTROPIES, "method", ["trained", "random", "bins"], means)]),
    ]
    return Section("efficient", "Rise of entropy", "Entropy", [EFFICIENT], caveat(results.config, "efficient"),
                   drawings=[drawing], more=more)  # fmt: skip


def kept_section(results: Results) -> Section | None:
    """What competitions keep of trained and of random networks; None where it was not measured."""
    table = results.kept
    if not len(table):
        return None
    records = {(str(r["method"]), str(r["variant"])): r for r in table.to_dict("records")}
    shown = [(m, v) for m in ranked(results, table["method"]) for v in VARIANTS if (m, v) in records]
    rows = [(f"{m}: {v}", _kept_cells(records[m, v])) for m, v in shown]
    text = ", ".join(f"{m} {v} {percent(records[m, v]['share'])}" for m, v in shown)
    drawing = Drawing("", inline_svg(kept_bars(results), "k-", f"Share of the pixels kept: {text}"))
    numbers = Table(
        "", "competition and network", ["pixels kept", "magnitude kept", "pixels expected", "classes"], rows
    )
    return Section("kept", "What the competition keeps", "Kept", [KEPT], caveat(results.config, "kept"),
                   drawings=[drawing], tables=[numbers])  # fmt: skip


def _labels(results: Results, record: Row, measured: bool) -> Section:
    why = str(record.get("why", ""))
    concluded = bool(record.get("concluded", True))
    drawn = bars(results, "labels", "l-") if measured else {}
    return Section(
        "labels",
        title("labels"),
        "Labels",
        [CHECKS["labels"], *([why] if why and concluded else [])],
        caveat(results.config, "labels"),
        "" if concluded else f"Not concluded. {why}",
        tables=_gates(record),
        **drawn,
    )


def _gates(record: Row) -> list[Table]:
    rows = [(str(gate.get("name", "")), _gate(gate)) for gate in record.get("gates") or ()]
    caption = "What both networks must reach before anything is concluded"
    return [Table(caption, "condition", ["measured", "limit", ""], rows)] if rows else []


def _gate(gate: Row) -> list[Cell]:
    holds = gate.get("holds")
    verdict = Cell("not measured") if holds is None else HOLDS[bool(holds)]
    return [Cell(_measure(gate.get("value"))), Cell(_measure(gate.get("limit"))), verdict]


HOLDS = {True: Cell("holds", verdict="sensitive"), False: Cell("does not hold", verdict="insensitive")}


def _measure(value: Any) -> str:
    """A number of a gate with three decimals, so that .951 is not read as its limit .95; a text as it is."""
    if value is None:
        return "–"
    return f"{float(value):.3f}" if isinstance(value, int | float) else str(value)


def by_method(results: Results, table: Any) -> dict[str, Row]:
    """Method -> its row, in the order of the verdicts."""
    rows = {str(r["method"]): r for r in table.to_dict("records")}
    return {m: rows[m] for m in ranked(results, table["method"])}


def _listed(rows: dict[str, Row], name: str) -> str:
    return ", ".join(f"{method} {number(row[name])}" for method, row in rows.items())


def _kept_cells(row: Row) -> list[Cell]:
    return [
        Cell(percent(row["share"]), _percents(row, "share")), Cell(percent(row["mass"]), _percents(row, "mass")),
        Cell(percent(row["expected"])), Cell(str(int(row["classes"]))),
    ]  # fmt: skip


def _percents(row: Row, name: str) -> str:
    lower, upper = percent(row[f"{name}_lower"]), percent(row[f"{name}_upper"])
    return "" if "–" in (lower, upper) else f"{lower} to {upper}"
