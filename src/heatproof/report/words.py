"""Numbers and verdicts in words."""

from __future__ import annotations

import math
from typing import Any

from markupsafe import Markup, escape

MEANING = {
    "undefined": "Too many of its maps are constant, so that there is nothing to compare.",
    "input-dominated": "Maps of unrelated networks look alike: it shows the photo more than the model.",
    "insensitive": "It hardly changes when half of the network is randomised: not evidence of what was learned.",
    "undecided": "The photos and seeds of this run do not suffice to say.",
    "sensitive": "It depends on the learned weights. Whether it is right is another question.",
}
PASSED = "A map that passes is not thereby right: a random map passes too. Read the faithfulness beside it."
SHAPES = {
    "undefined": "diamond",
    "input-dominated": "triangle",
    "insensitive": "triangle",
    "undecided": "square",
    "sensitive": "circle",
}
"""Every verdict has a shape and a word beside its colour."""


def number(value: Any, digits: int = 2) -> str:
    """Two decimals, or as many as asked; three where two would round to 1; a dash for what was not measured.

    Example:
        >>> number(0.4139), number(-0.001), number(0.9972), number(1.0), number(-0.25), number(float("nan"))
        ('0.41', '0.00', '0.997', '1.00', '−0.25', '–')
    """
    if not measured(value):
        return "–"
    digits = max(digits, 3) if 0.995 <= abs(float(value)) < 1 else digits
    text = f"{float(value):.{digits}f}"
    text = f"{0:.{digits}f}" if float(text) == 0 else text
    return text.replace("-", "−")


def interval(lower: Any, upper: Any, digits: int = 2) -> str:
    """A 95 % interval, or nothing where there is none or it has no width (the edge map, the original network).

    Example:
        >>> interval(0.2, 0.3), interval(float("nan"), 0.3), interval(1.0, 1.0)
        ('0.20 to 0.30', '', '')
    """
    if not (measured(lower) and measured(upper)) or lower == upper:
        return ""
    return f"{number(lower, digits)} to {number(upper, digits)}"


def percent(value: Any) -> str:
    """A share as a percentage; what is not zero is never written as zero.

    Example:
        >>> percent(0.31), percent(0.0), percent(0.001), percent(float("nan"))
        ('31 %', '0 %', 'under 1 %', '–')
    """
    if not measured(value):
        return "–"
    return "under 1 %" if 0 < float(value) < 0.01 else f"{100 * float(value):.0f} %"


def measured(value: Any) -> bool:
    """Whether a cell holds a finite number."""
    return isinstance(value, int | float) and math.isfinite(value)


def count(number_of: int, noun: str) -> str:
    """A count with its noun.

    Example:
        >>> count(1, "photo"), count(3, "photo")
        ('1 photo', '3 photos')
    """
    return f"{number_of} {noun}" if number_of == 1 else f"{number_of} {noun}s"


def breakable(name: str) -> Markup:
    """A name, escaped, that may be broken after an underscore.

    Example:
        >>> breakable("guided_<b>")
        Markup('guided_<wbr>&lt;b&gt;')
    """
    return escape(name).replace("_", Markup("_<wbr>"))
