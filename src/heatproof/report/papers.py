"""The gallery: each figure of the papers redrawn from what was measured, its claims and verdicts under it."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Any

from ..papers import PAPERS
from ..papers.types import Paper
from ..papers.verdicts import CANNOT, Claims
from .page import write_page
from .papers_parts import MARKS, MEANING, Part, added, coded, part
from .words import count

PAGE = "gallery.html"
STYLES = ("style.css", "papers.css")
BUDGETS = {
    "quick": "quick budget",
    "full": "full budget, reduced to three hours of two cores",
    "unreduced": "full budget, unreduced",
}


def render_claims(claims: Claims, papers: Iterable[Paper] | None = None) -> Path:
    """Write ``gallery.html`` into the folder of claims: one file that needs no network and no other file.

    Every text is escaped, the page's policy (CSP) forbids every request and every script but its own, and the file
    appears whole or not at all. A picture that cannot be drawn says so in its place.

    Args:
        claims: what a folder holds; all numbers come from it, none is computed here.
        papers: whose claims and pictures; None = all.

    Returns:
        The path of the page.

    Raises:
        RunError: the folder cannot be written.
    """
    parts = [part(paper, claims) for paper in (PAPERS.values() if papers is None else papers)]
    return write_page(claims.folder, "papers.html", _values(claims, parts), STYLES, PAGE)


def minutes(claims: Claims) -> float:
    """Of one core, that all finished experiments took together."""
    return sum(seconds for seconds in claims.seconds.values() if isfinite(seconds)) / 60


def facts(claims: Claims) -> list[str]:
    """Budget, device, versions and time: what a reader needs to know of a run."""
    config = claims.config
    versions = ", ".join(f"{name} {version}" for name, version in config.get("versions", {}).items())
    budget = str(config.get("budget", ""))
    found = (BUDGETS.get(budget, budget), str(config.get("device", "")), versions)
    return [fact for fact in (*found, f"{count(round(minutes(claims)), 'minute')} of one core, training apart") if fact]


def _values(claims: Claims, parts: list[Part]) -> dict[str, Any]:
    counts = added(one.counts for one in parts)
    return {
        "title": "Four papers, measured again",
        "facts": facts(claims),
        "parts": parts,
        "counts": counts,
        "total": sum(counts.values()),
        "marks": MARKS,
        "meaning": {verdict: text for verdict, text in MEANING.items() if counts[verdict]},
        "errors": [row for one in parts for row in one.rows if row.shows_error],
        "cannot": [row for one in parts for row in one.rows if row.verdict == CANNOT],
        "command": command(claims),
        "times": _times(claims),
        "coded": coded,
        "count": count,
    }


def command(claims: Claims) -> str:
    """What measures all of it again."""
    budget = "full" if claims.config.get("budget") == "unreduced" else claims.config.get("budget")
    return f"heatproof paper run all --budget {budget} --data DATA"


def _times(claims: Claims) -> list[tuple[str, str, str]]:
    """Experiment, seconds of one core, and what the budget leaves out, longest first."""
    known = {e.name: e.reduced for paper in PAPERS.values() for e in paper.experiments}
    longest = sorted(claims.seconds.items(), key=lambda one: -one[1] if isfinite(one[1]) else 0.0)
    return [(name, f"{seconds:.0f}" if isfinite(seconds) else "–", known.get(name, "")) for name, seconds in longest]
