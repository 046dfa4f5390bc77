"""From numbers to findings: what intervals say of a claim, and how numbers are written."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from .types import UNKNOWN, Finding, Number

UNCLEAR = "the interval holds both answers; more images or seeds would tell"
DECIDING = "the interval {} holds both answers; more images or seeds would tell"
NO_VALUE = "the measurement gave no number"


def above(number: Number, limit: float) -> bool | None:
    """Whether a number is over a limit, by its whole interval; None where the interval holds both answers."""
    if not isfinite(number.value):
        return None
    if not (isfinite(number.lower) and isfinite(number.upper)):
        return number.value > limit
    return True if number.lower > limit else False if number.upper <= limit else None


def below(number: Number, limit: float) -> bool | None:
    """Whether a number is under a limit, as `above`."""
    return above(Number(-number.value, -number.upper, -number.lower), -limit)


def within(number: Number, expected: float, tolerance: float) -> bool | None:
    """Whether a number is the expected one up to a tolerance, by its whole interval: a wide one tells nothing."""
    if not isfinite(number.value):
        return None
    if number.value == expected and not isfinite(number.lower):
        return True
    return every((above(number, expected - tolerance), below(number, expected + tolerance)))


def agrees(number: Number, expected: float) -> bool | None:
    """Whether the interval of a number holds the expected one; for measurements precise enough to tell it from others."""
    if not (isfinite(number.lower) and isfinite(number.upper)):
        return None
    return number.lower <= expected <= number.upper


def more(a: Number, b: Number) -> bool | None:
    """Whether a is over b, each with an interval of its own; None where the intervals overlap.

    For two methods on the same images an interval of their difference tells more: measure that, and use `above`.
    """
    if not (isfinite(a.value) and isfinite(b.value)):
        return None
    first, second = ((n.lower, n.upper) if isfinite(n.lower) else (n.value, n.value) for n in (a, b))
    return True if first[0] > second[1] else False if first[1] <= second[0] else None


def every(answers: Iterable[bool | None]) -> bool | None:
    """False where one answer is, else None where one is, else True."""
    found = list(answers)
    return False if False in found else None if None in found else True


def deciding(parts: Iterable[tuple[bool | None, Number]]) -> tuple[bool | None, Number]:
    """`every`, and the number whose answer that is."""
    held = list(parts)
    answer = every(found for found, _ in held)
    return answer, next(number for found, number in held if found is answer)


def each_above(numbers: Iterable[Number], limit: float) -> tuple[bool | None, Number]:
    """Whether all numbers are over a limit, and the one that decides: the nearest to failing."""
    low = sorted(numbers, key=lambda n: n.lower if isfinite(n.lower) else n.value)
    return deciding((above(number, limit), number) for number in low)


def each_below(numbers: Iterable[Number], limit: float) -> tuple[bool | None, Number]:
    """`each_above`, under a limit."""
    held, low = each_above((Number(-n.value, -n.upper, -n.lower) for n in numbers), -limit)
    return held, Number(-low.value, -low.upper, -low.lower)


def finding(held: bool | None, measured: str, number: Number = UNKNOWN, reason: str = "") -> Finding:
    """A finding; one that cannot be told says why."""
    if held is None and not reason:
        clear = isfinite(number.lower) and isfinite(number.upper)
        unclear = DECIDING.format(f"{plain(number.lower, 3)} to {plain(number.upper, 3)}") if clear else UNCLEAR
        reason = unclear if isfinite(number.value) or number is UNKNOWN else NO_VALUE
    return Finding(held, measured, number, reason if held is None else "")


def said(number: Number, digits: int = 2) -> str:
    """A number with its interval as text.

    Example:
        >>> said(Number(0.5, 0.4, 0.6)), said(Number(2.0)), said(Number(1e-9))
        ('0.50 (0.40 to 0.60)', '2.00', '1e-09')
    """
    value = plain(number.value, digits)
    if not (isfinite(number.lower) and isfinite(number.upper)):
        return value
    return f"{value} ({plain(number.lower, digits)} to {plain(number.upper, digits)})"


def plain(value: float, digits: int = 2) -> str:
    """A number without its interval; tiny and huge ones with an exponent."""
    if value == 0 or not isfinite(value) or 0.5 * 10**-digits <= abs(value) < 1e5:
        return f"{value:.{digits}f}"
    return f"{value:.0e}" if abs(value) < 1 else f"{value:.2e}"
