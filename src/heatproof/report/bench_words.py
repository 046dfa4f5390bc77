"""Numbers of any size, and how a method compares with chance, in words."""

from __future__ import annotations

from typing import Any

from .words import measured

BETTER, EVEN, WORSE = "better than chance", "not told apart from chance", "worse than chance"
MARKS = {BETTER: "sensitive", EVEN: "undecided", WORSE: "insensitive"}
"""The verdict whose shape and colour each takes."""
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def significant(value: Any) -> str:
    """Three significant digits, as a power of ten where it is very small or large; a dash for what was not measured.

    Example:
        >>> significant(0.41392), significant(-12.345), significant(1543.2), significant(0.0), significant(float("nan"))
        ('0.414', '−12.3', '1543', '0', '–')
        >>> significant(2.5e-7), significant(123456.0)
        ('2.50×10⁻⁷', '1.23×10⁵')
    """
    if not measured(value):
        return "–"
    return _written(value, _power(value)) if value else "0"


def _power(value: float) -> int:
    """The power of ten of a number that is rounded to three digits."""
    return int(f"{float(value):.2e}".partition("e")[2])


def _written(value: float, power: int) -> str:
    """With the decimals that give a number of this power of ten three digits."""
    if -4 < power < 5:
        text = f"{value:.{max(0, 2 - power)}f}"
        return (text.lstrip("-") if float(text) == 0 else text).replace("-", "−")
    return f"{value / 10**power:.2f}×10{str(power).translate(_RAISED)}".replace("-", "−")


def span(lower: Any, upper: Any) -> str:
    """A 95 % interval, both ends with the decimals of the larger one; nothing where there is none or it has no width.

    Example:
        >>> span(0.05, 0.3), span(float("nan"), 0.3), span(1.0, 1.0)
        ('0.050 to 0.300', '', '')
    """
    if not (measured(lower) and measured(upper)) or lower == upper:
        return ""
    power = max(_power(end) for end in (lower, upper) if end)
    return f"{_written(lower, power)} to {_written(upper, power)}"


def beside_chance(lower: Any, upper: Any) -> str:
    """What the interval of a gain over chance says, positive = better; "" where there is none.

    Example:
        >>> beside_chance(0.1, 0.2), beside_chance(-0.1, 0.2), beside_chance(-0.2, -0.1), beside_chance(None, 1.0)
        ('better than chance', 'not told apart from chance', 'worse than chance', '')
    """
    if not (measured(lower) and measured(upper)):
        return ""
    return BETTER if lower > 0 else WORSE if upper < 0 else EVEN
