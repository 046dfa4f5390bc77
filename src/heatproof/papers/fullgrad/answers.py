"""Answers of several numbers to "often" and "several"."""

from __future__ import annotations

from collections.abc import Iterable


def many(answers: Iterable[bool | None], least: int) -> bool | None:
    """Whether this many answers or more are yes; None where the unclear ones decide."""
    found = list(answers)
    sure, unclear = found.count(True), found.count(None)
    return True if sure >= least else None if sure + unclear >= least else False
