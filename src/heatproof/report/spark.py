"""One small curve as SVG, written by hand: a report has hundreds, and matplotlib takes .1 s for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from ..plots._curve import Curve

WIDTH, HEIGHT = 210, 130
LEFT, RIGHT, TOP, BASE = 26, 204, 6, 110
Point = tuple[float, float]


def spark(curve: Curve, lowest: float, label: str) -> Markup:
    """The curve, its null floor and the zone of `insensitive`, in the colours of the page's style sheet.

    Args:
        curve: what to draw.
        lowest: the lower end of the y axis; the upper one is 1.04.
        label: the text alternative.
    """

    def at(x: float, y: float) -> Point:
        across, up = x / (curve.last or 1), (y - lowest) / (1.04 - lowest)
        return LEFT + across * (RIGHT - LEFT), BASE - max(0.0, min(1.0, up)) * (BASE - TOP)

    parts = [_path("axis", [[at(0, 0), at(curve.last, 0)]]), _path("axis", [[at(0, lowest), at(0, 1.04)]])]
    if curve.zone:
        half, limit = curve.zone
        parts.append(_path("l-zone", [_box(at(half, limit), at(curve.last, 1))]))
    if curve.floor:
        value, lower, upper = curve.floor
        if math.isfinite(lower) and math.isfinite(upper):
            parts.append(_path("l-floor-band", [_box(at(0, lower), at(curve.last, upper))]))
        parts.append(_path("l-floor", [[at(0, value), at(curve.last, value)]]))
    stages = list(zip(curve.x, curve.mean, curve.lower, curve.upper, strict=True))
    bands = _runs(stages, (2, 3))
    parts.append(
        _path("l-curve-band", [[*(at(s[0], s[2]) for s in b), *(at(s[0], s[3]) for s in b[::-1])] for b in bands])
    )
    lines = [[at(s[0], s[1]) for s in run] for run in _runs(stages, (1,))]
    parts += [_path("l-curve", lines), _path("l-dots", [[p, p] for line in lines for p in line])]
    across = " ".join(f"{at(x, 0)[0]:.1f}" for x in curve.x)
    parts.append(Markup('<path class="l-cursor" d="M0 {}V{}" data-x="{}"/>').format(TOP, BASE, across))
    parts += [_text(LEFT - 5, at(0, y)[1] + 3, "end", text) for y, text in ((0, "0"), (0.5, ".5"), (1, "1"))]
    parts += [_text(at(x, 0)[0], HEIGHT - 6, "middle", text) for x, text in _ticks(curve)]
    if curve.undefined:
        parts.append(_text((LEFT + RIGHT) / 2, at(0, 0.5)[1], "middle", "undefined"))
    head = Markup('<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, HEIGHT, label)
    return head + Markup("").join(parts) + Markup("</svg>")


def _ticks(curve: Curve) -> list[tuple[float, str]]:
    if curve.shares:
        return [(x, text) for x, text in ((0, "0"), (0.5, "½"), (1, "1")) if x <= curve.last]
    return [(x, f"{x:g}") for x in dict.fromkeys([curve.x[0], curve.last])] if curve.x else []


def _runs(stages: Sequence[Sequence[float]], needed: Sequence[int]) -> list[list[Sequence[float]]]:
    """Stages in a row that all have the numbers needed: a line breaks where one is missing."""
    whole = groupby(stages, key=lambda stage: all(math.isfinite(stage[i]) for i in needed))
    return [list(run) for finite, run in whole if finite]


def _box(one: Point, other: Point) -> list[Point]:
    (left, below), (right, above) = one, other
    return [(left, below), (right, below), (right, above), (left, above)]


def _path(kind: str, lines: Sequence[Sequence[Point]]) -> Markup:
    drawn = "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in line) for line in lines if line)
    return Markup('<path class="{}" d="{}"/>').format(kind, drawn) if drawn else Markup("")


def _text(x: float, y: float, anchor: str, text: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, text)
