"""Results in, one HTML file out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from ..experiment.results import Results
from ..plots._select import first_check, without_verdict
from ..plots._style import check_name
from .cards import Card, cards
from .check_sections import changed, matrix
from .check_words import caveat
from .classes import class_sheets
from .contents import contents
from .film import films
from .guide import guide
from .overview import overviews
from .page import write_page
from .photos import viewer
from .sections import sections
from .settings import settings
from .tables import number_notes, numbers, stages, troubles
from .words import count

WAYS = {"cascading": " from the output down", "reverse": " from the input up", "smooth": " from the input up"}
"""How the network is randomised in the film strips of a check."""
STYLES = ("style.css", "cards.css", "photos.css")
SCRIPTS = ("script.js", "tables.js", "cards.js", "photos.js")


def render(results: Results) -> Path:
    """Write ``report.html`` into the run folder: one file that needs no network and no other file.

    Every text is escaped, the page's policy (CSP) forbids every request and every script but its own, and the file
    appears whole or not at all.

    Args:
        results: what a run left; all numbers come from it, none is computed here.

    Returns:
        The path of the report.

    Raises:
        RunError: the folder cannot be written.
    """
    return write_page(results.folder, "template.html", _page(results), STYLES, scripts=SCRIPTS)


def _page(results: Results) -> dict[str, Any]:
    """All that the template reads."""
    config, strips, first = results.config, films(results), first_check(results)
    every = cards(results, strips)
    tested = [card for card in every if not card.control]
    tables, found, seen = numbers(results), sections(results), overviews(results)
    page = {
        "judged": not without_verdict(results),
        "model": str(config.get("model", "unnamed model")),
        "summary": _summary(results),
        "tally": _tally(tested),
        "guide": guide(results, every),
        "cards": tested,
        "controls": [card for card in every if card.control],
        "refused": troubles(results)["refused"],
        "overviews": seen,
        "viewer": viewer(results),
        "films": strips,
        "slider_stages": next((strip.stages for strip in results.strips if strip.check == first), []),
        "way": WAYS.get(results.strips[0].check, "") if results.strips else "",
        "several_films": len({strip.check for strip in results.strips}) > 1,
        "numbers": tables,
        "number_notes": number_notes(tables),
        "matrix": matrix(results),
        "first": check_name(first),
        "labels_first": first == "labels",
        "several_checks": results.curves["check"].nunique() > 1,
        "first_caveat": caveat(config, first),
        "first_changed": changed(results, first),
        "sections": list(found.values()),
        "sheets": class_sheets(results),
        "stages": stages(results),
        "troubles": troubles(results),
        "settings": settings(config),
        "blocks": config.get("blocks") or [],
        "images": config.get("images") or [],
        "warnings": config.get("warnings") or [],
        "one_seed": config.get("seeds") == 1,
    }
    return page | {"contents": contents(_before(page), found, _after(page))}


def _before(page: dict[str, Any]) -> list[tuple[str, str]]:
    """Links to what stands before the checks and is there."""
    cards = page["cards"] or page["controls"]
    links = {"verdicts": (cards, "Verdicts" if page["judged"] else "Methods"), "by-check": (page["matrix"], "By check"),
             "together": (page["overviews"], "Curves")}  # fmt: skip
    return [(id, name) for id, (there, name) in links.items() if there]


def _after(page: dict[str, Any]) -> list[tuple[str, str]]:
    """Links to what stands after the checks and is there."""
    links = {"classes": (page["sheets"], "All classes"), "strips": (page["films"], "Film strips"),
             "photos": (page["viewer"], "Photos"), "numbers": (page["numbers"], "Numbers")}  # fmt: skip
    found = [(id, name) for id, (there, name) in links.items() if there]
    return [*found, ("missing", "Missing"), ("settings", "Settings")]


def _summary(results: Results) -> list[str]:
    config = results.config
    photos = len(config.get("images") or ()) or results.table["image"].nunique()
    seeds = config.get("seeds")
    facts = [config.get("dataset"), count(photos, "photo"), count(seeds, "seed") if isinstance(seeds, int) else None]
    return [str(fact) for fact in (*facts, config.get("date")) if fact]


def _tally(tested: list[Card]) -> list[tuple[str, int]]:
    """How many methods have each verdict, in the order of the cards."""
    return list(Counter(card.verdict for card in tested if card.verdict).items())
