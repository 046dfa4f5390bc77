"""What `roar` and `kar` leave, in a notebook: areas beside random removal, and accuracies as curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plots.retrain import TITLES, retrain_curves
from ..report.retrain_sections import area_scores
from ..report.retrain_tables import interval_words
from .fragment import Fragment, facts_of, figure_of, troubles_of, written

if TYPE_CHECKING:
    from ..roar import Retrained


def html(retrained: Retrained) -> str:
    results = retrained.results
    directions = [str(name) for name in results.areas["direction"].unique()]
    drawn = [figure_of(retrain_curves(results, d), f"{TITLES[d]}, {results.folder}") for d in directions[:1]]
    notes = [interval_words(results), *troubles_of(results)]
    tables, facts = [area_scores(results, direction) for direction in directions], facts_of(results.config)
    return written(
        Fragment("Networks trained anew", facts, retrained.report, tables[:1], drawn, notes, folded=tables[1:])
    )
