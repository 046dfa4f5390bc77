"""A section for every check: curves where it has stages, bars where it has one number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..checks.compared import DECIDING
from ..experiment.results import Results
from ..plots import combined, similarity_bars
from ..plots._select import methods_of, metrics_of, rows_of, stage_names
from ..plots._style import check_name, is_control, metric_name
from .check_words import CHECKS, caveat, short
from .parts import Cell, Drawing, More, Section, Table
from .small import half_and_last, small_multiples
from .svg import inline_svg
from .words import number, percent


def bar_section(results: Results, check: str, id: str) -> Section:
    """The section of a check with one stage."""
    texts = [text for text in (CHECKS.get(check, ""), changed(results, check)) if text]
    return Section(
        id, title(check), short(check), texts, caveat(results.config, check), **bars(results, check, f"{id}-")
    )


def bars(results: Results, check: str, prefix: str) -> dict[str, Any]:
    """The drawings of a one-stage check: those that decide, and the others behind a line."""
    deciding, others = split(metrics_of(results, check))
    drawn = [(deciding, f"{prefix}d-"), (others, f"{prefix}o-")]
    first, rest = ([_bars(results, check, metrics, p)] if metrics else [] for metrics, p in drawn)
    return {"drawings": first, "more": [More("Other similarities", rest)] if rest else []}


def split(metrics: Sequence[str]) -> tuple[list[str], list[str]]:
    """Metrics that decide a verdict, and the others."""
    return [m for m in metrics if m in DECIDING], [m for m in metrics if m not in DECIDING]


def matrix(results: Results) -> Table | None:
    """Methods x checks: the verdict of each; None where fewer than two checks judged."""
    table = results.by_check
    if not len(table) or table["check"].nunique() < 2:
        return None
    checks = [str(c) for c in table["check"].unique()]
    found = {(str(r["method"]), str(r["check"])): r for r in table.to_dict("records")}
    methods = [str(m) for m in results.verdicts["method"]]
    quiet = [m for m in methods if is_control(m, results.config)]
    rows = [
        (m, [_verdict(found.get((m, check), {})) for check in checks])
        for m in [*(m for m in methods if m not in quiet), *quiet]
    ]
    return Table("Below each word: what is left above the null floor, 1 = everything.", "method", list(map(short, checks)),
                 rows)  # fmt: skip


def _verdict(row: dict[Any, Any]) -> Cell:
    if not row:
        return Cell("–")
    return Cell(str(row["verdict"]), number(row.get("excess")), str(row["verdict"]))


def curve_section(results: Results, check: str, id: str) -> Section:
    """The section of a check with several stages."""
    metrics = metrics_of(results, check)
    deciding, others = split(metrics)
    shown = [_combined(results, check, m, f"{id}-{m_place}-") for m_place, m in enumerate(deciding or others)]
    panels = [_small(results, check, metric) for metric in metrics]
    texts = [
        text
        for text in (CHECKS.get(check, ""), _stages(results, check), changed(results, check), _blind(results, check))
        if text
    ]
    return Section(id, title(check), short(check), texts, caveat(results.config, check), drawings=shown, more=panels)


def _small(results: Results, check: str, metric: str) -> More:
    drawings = [Drawing(*named) for named in small_multiples(results, metric, check)]
    return More(f"{metric_name(metric)}: every method with its null floor", drawings, small=True)


def _combined(results: Results, check: str, metric: str, prefix: str) -> Drawing:
    text = _curve_text(results, metric, check)
    return Drawing("", inline_svg(combined(results, metric, check), prefix, text))


def _bars(results: Results, check: str, metrics: Sequence[str], prefix: str) -> Drawing:
    ends = "; ".join(f"{metric_name(m)}: {_ends(results, m, check)}" for m in metrics)
    figure = similarity_bars(results, check, metrics)
    return Drawing("", inline_svg(figure, prefix, f"Similarity to the original map, {check_name(check)}. {ends}"))


def _curve_text(results: Results, metric: str, check: str) -> str:
    return f"{metric_name(metric)}, {check_name(check)}, at the last stage: {_ends(results, metric, check)}"


def _ends(results: Results, metric: str, check: str) -> str:
    rows = rows_of(results, metric, check)
    ends = {m: half_and_last(rows[rows["method"] == m])[1] for m in methods_of(results, metric, check)}
    return ", ".join(f"{method} {number(row.get('mean'))}" for method, row in ends.items())


def changed(results: Results, check: str) -> str:
    """How often the predicted class is no more the explained one; the explained class stays, unless the run says so."""
    table = results.changed
    rows = table[table["check"] == check].sort_values("stage") if len(table) else table
    if not len(rows):
        return ""
    shares = ", ".join(percent(share) for share in rows["changed"])
    where = "at the stages" if len(rows) > 1 else "here"
    return f"Photos whose predicted class is no longer the explained one, {where}: {shares}."


def _stages(results: Results, check: str) -> str:
    """The names of the stages; shares of a graded check stand on its axis already."""
    names = stage_names(results, check) if check != "graded" else {}
    return "Stages: " + ", ".join(f"{stage} {name}" for stage, name in names.items()) + "." if names else ""


def _blind(results: Results, check: str) -> str:
    """Of the check of biases: the methods that do not see the last bias."""
    if check != "biases":
        return ""
    rows = results.curves[(results.curves["check"] == check) & (results.curves["stage"] > 0)]
    first = rows[rows["stage"] == rows["stage"].min()]
    same = first.groupby("method")["mean"].agg(lambda means: bool((means == 1).all()))
    seen = [m for m in map(str, results.verdicts["method"]) if m in same.index and not is_control(m, results.config)]
    blind = [m for m in seen if same[m]]
    if not blind:
        return "Every method sees the last bias: no map stays exactly the same at the first stage."
    return f"Do not see the last bias (similarity exactly 1 at the first stage): {', '.join(blind)}."


def title(check: str) -> str:
    """A check as a heading."""
    name = check_name(check)
    return name[:1].upper() + name[1:]
