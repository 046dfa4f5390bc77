"""`heatproof.METHODS` in a notebook: a list with sources."""

from __future__ import annotations

from typing import Any

from ..catalogue import catalogue
from ..report.bench_parts import Head, Score, Scores
from ..report.words import count
from .fragment import Fragment, written


def html(_: Any) -> str:
    every = catalogue()
    rows = [(e.name, False, [Score(e.map), Score(e.about), Score(e.source)]) for e in every]
    table = Scores("", "method", [Head("map"), Head("what it is"), Head("source")], rows)
    return written(Fragment("Methods", [count(len(every), "method")], tables=[table]))
