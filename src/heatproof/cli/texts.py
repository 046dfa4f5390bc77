"""Options that are several values in one text, by commas."""

from __future__ import annotations

from ..errors import InputError


def words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def floats(text: str | None) -> tuple[float, ...] | float | None:
    """One number as itself, several as a tuple."""
    if text is None:
        return None
    found = numbers(text)
    return found if len(found) > 1 else found[0]


def numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(n) for n in text.split(","))
    except ValueError:
        raise InputError(f"{text!r} is no list of numbers; expected something like 0.485,0.456,0.406") from None
