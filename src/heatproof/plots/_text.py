"""Text in inches: how wide it is, and where it is broken."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from ._style import plain

EM = 0.58
"""Width of a letter of DejaVu Sans in ems, on average."""
_JOINT = r"[_,(/\-…]|\.(?=[A-Za-z])"
"""Where a name may be broken: after it."""


def inches(text: str, size: float) -> float:
    """The width of a text, about.

    Example:
        >>> round(inches("0123456789", 12), 2)
        0.97
    """
    return len(text) * EM * size / 72


def widest(texts: Iterable[str], size: float, least: float, most: float) -> float:
    """The width that names need, within bounds."""
    return min(most, max([least, *(inches(plain(text), size) for text in texts)]))


def wrapped(text: object, width: float, size: float, most: int = 3) -> list[str]:
    """Lines that fit into ``width`` inches, broken after spaces and the joints of names.

    What does not fit into ``most`` lines loses its middle: names differ at both ends.

    Example:
        >>> wrapped("integrated_gradients(rule='right', steps=10)", 1.2, 7)
        ['integrated_gradients(', "rule='right',", 'steps=10)']
    """
    letters = max(4, int(width * 72 / (EM * size)))
    limit = letters * most
    lines = _broken(plain(text, limit), letters)
    while len(lines) > most:
        limit -= 1
        lines = _broken(plain(text, limit), letters)
    return lines


def _broken(text: str, letters: int) -> list[str]:
    lines = [""]
    for piece in re.findall(rf"(?:(?!{_JOINT})\S){{1,{letters - 1}}}(?:{_JOINT})?\s*|(?:{_JOINT})\s*", text):
        if lines[-1] and len((lines[-1] + piece).rstrip()) > letters:
            lines.append("")
        lines[-1] += piece
    return [line.strip() for line in lines if line.strip()]


def decimals_for(values: Iterable[float]) -> int:
    """Decimals that show two or three digits of the largest of some numbers.

    Example:
        >>> [decimals_for([v]) for v in (0.052, 0.52, 5.2, 52.0, 5200.0)]
        [3, 2, 2, 1, 0]
    """
    largest = max([abs(v) for v in values if math.isfinite(v)], default=0.0)
    if not largest:
        return 2
    power = math.floor(math.log10(largest))
    return min(1 - power, 5) if power < -1 else 2 if power < 1 else 1 if power < 3 else 0


def short(value: float, decimals: int) -> str:
    """A number for a figure; one that would be written as zero, or is huge, has an exponent.

    Example:
        >>> short(0.5, 2), short(-0.5, 2), short(0.0, 2), short(1e-7, 2), short(2.5e6, 0)
        ('0.50', '−0.50', '0', '1e−07', '2.5e+06')
    """
    if value == 0:
        return "0"
    text = f"{value:.{decimals}f}"
    if abs(value) >= 1e5:
        text = f"{value:.1e}"
    elif float(text) == 0:
        text = f"{value:.0e}"
    return text.replace("-", "−")
