"""A `Perturbation` in a notebook: the output as pixels go, mean over the images with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ..checks.interval import Estimate, estimate
from ..plots._ends import Line
from ..plots._lines import line_figure
from ..report.bench_parts import Head, Score, Scores
from ..report.bench_words import significant, span
from ..report.words import count
from .fragment import Fragment, figure_of, written

if TYPE_CHECKING:
    from ..faithfulness.removal import Perturbation


def html(found: Perturbation) -> str:
    with_classes = bool(found.probability.isfinite().any())
    unit, values = ("probability", found.probability) if with_classes else ("score", found.score)
    means, changes = (list(map(_mean, rows)) for rows in (values, found.change))
    x = list(found.fractions)
    rows = [(f"{f:g}", False, [_cell(m), _cell(c)]) for f, m, c in zip(x, means, changes, strict=True)]
    area, ties = _mean(found.area), _mean(found.ties)
    line = Line(unit, x, [e.mean for e in means], [e.lower for e in means], [e.upper for e in means], False)
    title = f"{unit} of the class, mean over {count(len(found.original), 'image')}"
    figure = line_figure([line], [unit], title, "share of pixels removed", ("", float("nan")))
    label = f"{title}: " + ", ".join(f"{significant(e.mean)} at {f:g}" for f, e in zip(x, means, strict=True))
    facts = [f"area under the {unit} {_said(area)}", f"pixels with the value of another one {_said(ties)}"]
    heads = [Head(unit), Head("change of the score", "as a share of it")]
    table = Scores("Means over images, with 95 % intervals", "pixels removed", heads, rows)
    return written(Fragment("Pixels removed", facts, drawings=[figure_of(figure, label)], folded=[table]))


def _mean(values: Tensor) -> Estimate:
    """Over images ``(B,)``."""
    cells: np.ndarray[Any, Any] = values.detach().double().cpu().numpy()
    return estimate(cells[None])


def _cell(found: Estimate) -> Score:
    return Score(significant(found.mean), span(found.lower, found.upper))


def _said(found: Estimate) -> str:
    between = span(found.lower, found.upper)
    return significant(found.mean) + (f" ({between})" if between else "")
