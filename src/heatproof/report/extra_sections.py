"""The sections of checks with numbers of their own: labels with gates, planted evidence, entropy, kept share."""

from __future__ import annotations

from typing import Any

from ..experiment.results import Results
from ..plots import efficient_bars, kept_bars, planted_bars
from ..plots._select import ranked
from ..plots.checks import VARIANTS
from .check_sections import bars, title
from .check_words import CHECKS, caveat
from .parts import Cell, Drawing, More, Section, Table
from .svg import inline_svg
from .words import interval, number, percent

Row = dict[Any, Any]
PLANTED = (
    "Permuted labels alone do not prove a map wrong: where the object is the only evidence, a good map need not move. So "
    "two networks are trained on the same pictures, each to read another patch of them. A map that shows what its network "
    "reads must move from one patch to the other."
)
EFFICIENT = (
    "How much more complex a map becomes when all weights are random: the rise of the entropy of its histogram, as a share "
    "of what it was. A map that follows the network rises; 0 means that nothing changed."
)
KEPT = (
    "A competition between the classes keeps a pixel only where the explained class beats every other. How much does it "
    "keep of a trained network, and how much of a random one?"
)


def label_sections(results: Results) -> list[Section]:
    """Label randomisation with its gates, and the planted evidence under it."""
    record = results.config.get("labels")
    measured = "labels" in set(results.curves["check"])
    found = [_labels(results, dict(record or {}), measured)] if measured or record else []
    return found + ([_planted(results, under=bool(found))] if len(results.planted) else [])


def efficient_sections(results: Results) -> list[Section]:
    """The entropy before and after full randomisation; empty where it was not measured."""
    table = results.efficient
    if not len(table):
        return []
    rows = _by_method(results, table)
    cells = {m: [Cell(number(r["rise"]), interval(r["lower"], r["upper"])), Cell(number(r["before"])),
                 Cell(number(r["after"])), Cell(str(r["bins"]))] for m, r in rows.items()}  # fmt: skip
    drawing = Drawing("", inline_svg(efficient_bars(results), "e-", "Rise of entropy: " + _listed(rows, "rise")))
    numbers = Table("", "method", ["rise", "entropy, trained", "entropy, random", "bins"], list(cells.items()))
    return [
        Section("efficient", "Rise of entropy", "Entropy", [EFFICIENT], caveat(results.config, "efficient"),
                drawings=[drawing], more=[More("Entropy before and after", tables=[numbers])])
    ]  # fmt: skip


def kept_sections(results: Results) -> list[Section]:
    """What competitions keep of trained and of random networks; empty where it was not measured."""
    table = results.kept
    if not len(table):
        return []
    records = {(str(r["method"]), str(r["variant"])): r for r in table.to_dict("records")}
    shown = [(m, v) for m in ranked(results, table["method"]) for v in VARIANTS if (m, v) in records]
    rows = [(f"{m}: {v}", _kept_cells(records[m, v])) for m, v in shown]
    text = ", ".join(f"{m} {v} {percent(records[m, v]['share'])}" for m, v in shown)
    drawing = Drawing("", inline_svg(kept_bars(results), "k-", f"Share of the pixels kept: {text}"))
    numbers = Table(
        "", "competition and network", ["pixels kept", "magnitude kept", "pixels expected", "classes"], rows
    )
    return [
        Section("kept", "What the competition keeps", "Kept", [KEPT], caveat(results.config, "kept"), drawings=[drawing],
                tables=[numbers])
    ]  # fmt: skip


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
MOVED = {True: Cell("moved", verdict="sensitive"), False: Cell("did not move", verdict="insensitive")}


def _measure(value: Any) -> str:
    """A number of a gate with three decimals, so that .951 is not read as its limit .95; a text as it is."""
    if value is None:
        return "–"
    return f"{float(value):.3f}" if isinstance(value, int | float) else str(value)


def _planted(results: Results, under: bool) -> Section:
    rows = _by_method(results, results.planted)
    cells = {m: [MOVED[bool(r["moved"])], Cell(percent(r["inside_own"])), Cell(percent(r["inside_other"])),
                 Cell(percent(r["chance"])), Cell(number(r["similarity"]), interval(r["lower"], r["upper"]))]
             for m, r in rows.items()}  # fmt: skip
    columns = ["did the map move?", "inside the patch it reads", "inside the other", "by chance", "similarity"]
    said = ", ".join(f"{m} {MOVED[bool(r['moved'])].text}" for m, r in rows.items())
    drawing = Drawing("", inline_svg(planted_bars(results), "p-", f"Planted evidence: {said}"))
    return Section("planted", "Planted evidence", "" if under else "Planted", [PLANTED], caveat(results.config, "planted"),
                   under=under, drawings=[drawing], tables=[Table("", "method", columns, list(cells.items()))])  # fmt: skip


def _by_method(results: Results, table: Any) -> dict[str, Row]:
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
