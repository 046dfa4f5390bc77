"""An `Audit` in a notebook: verdict, reason, numbers and curve of every method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from ..plots._style import metric_name
from ..report.bench_parts import Head, Score, Scores
from ..report.cards import Card, cards
from ..report.check_sections import matrix
from ..report.words import PASSED, count
from .fragment import Fragment, facts_of, troubles_of, written

if TYPE_CHECKING:
    from ..audit import Audit
    from ..experiment.results import Results


WIDE = Markup('<span class="hp-wide">{}</span>')
FACTS = ("null floor", "excess at half", "excess", "faithfulness")
"""The numbers of a card that have a column here; the report has the others."""


def html(audit: Audit) -> str:
    """The verdicts, worst first, controls last; those of further checks folded."""
    results, config = audit.results, audit.results.config
    size = count(len(config.get("images") or ()), "image"), count(int(config.get("seeds") or 0), "seed")
    every = sorted(cards(results), key=lambda card: card.control)
    further = _by_check(results)
    notes = [*([PASSED] if any(card.verdict for card in every) else []), *troubles_of(results)]
    tables, folded = [_verdicts(results, every)], [further] if further else []
    return written(Fragment("Audit", facts_of(config, *size), audit.report, tables, notes=notes, folded=folded))


def _verdicts(results: Results, every: Sequence[Card]) -> Scores:
    """One row a card."""
    have = {fact.label for card in every for fact in card.facts}
    labels = [label for label in FACTS if label in have]
    judged = any(card.verdict for card in every)
    heads = [*(["verdict", "why"] if judged else []), *labels, "similarity to the original map"]
    metrics = {str(row["method"]): metric_name(str(row["metric"])) for row in results.verdicts.to_dict("records")}
    rows = []
    for card in every:
        found = {fact.label: Score(fact.value, fact.interval) for fact in card.facts}
        said = [Score("", word=card.verdict, mark=card.verdict), Score(WIDE.format(card.reason))] if judged else []
        drawn = sorted(card.panels, key=lambda panel: (panel.title != metrics.get(card.method), not panel.decides))[:1]
        curve = Score(drawn[0].svg, drawn[0].title) if drawn else Score("–")
        rows.append((card.method, card.control, [*said, *(found.get(name, Score("–")) for name in labels), curve]))
    return Scores("", "method", [Head(name) for name in heads], rows)


def _by_check(results: Results) -> Scores | None:
    """Methods x checks, where more than one judged."""
    table = matrix(results)
    if table is None:
        return None
    rows = [(n, False, [Score("", c.small, c.text, c.verdict) for c in cells]) for n, cells in table.rows]
    return Scores("Verdicts of every check", table.corner, [Head(name) for name in table.columns], rows)
