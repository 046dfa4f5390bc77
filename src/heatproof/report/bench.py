"""The report of a bench: results in, one HTML file out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..experiment.bench_results import BenchResults
from ..plots._bench import controls_of
from .bench_export import bench_figures as bench_figures
from .bench_missing import troubles
from .bench_parts import shared_values, tally
from .bench_sections import bench_sections, gains, leading, scores
from .bench_tables import bench_tables as bench_tables
from .bench_words import beside_chance
from .page import write_page
from .words import count

KEYS = ("options", "levels", "masks", "methods", "controls", "control", "score", "seed")
STYLES = ("style.css", "bench.css")


def render_bench(results: BenchResults) -> Path:
    """Write ``report.html`` into the run folder of a bench: one file that needs no network and no other file.

    Every text is escaped, the page's policy (CSP) forbids every request and every script but its own, and the file
    appears whole or not at all.

    Args:
        results: what a bench left; all numbers come from it, none is computed here.

    Returns:
        The path of the report.

    Raises:
        RunError: the folder cannot be written.
    """
    return write_page(results.folder, "bench.html", _values(results), STYLES)


def _values(results: BenchResults) -> dict[str, Any]:
    config, kind, first = results.config, results.kind, leading(results)
    measured = {"bench": kind.title, **{k: config.get(k) for k in KEYS}}
    page = shared_values(results.folder, config, measured)
    found = scores(results)
    values = {
        "title": kind.title,
        "summary": _summary(results, page["image_count"]),
        "tally": tally(_words(results, first)),
        "tally_of": results.measures[first].title if first else "",
        "about": [kind.about],
        "source": kind.source,
        "reduced": [str(text) for text in config.get("reduced") or []],
        "scores": found[:1],
        "more_scores": found[1:],
        "reading": [_reading(results)] if found else [],
        "gains": gains(results),
        "chance": results.control,
        "sections": bench_sections(results),
        "troubles": troubles(results),
    }
    return page | values | {"contents": contents(values, page)}


def contents(values: dict[str, Any], page: dict[str, Any]) -> list[tuple[str, str]]:
    """Links to what the page holds."""
    links = [("ranking", "Ranking")] if values["scores"] else []
    links += [(part.id, part.short) for part in values["sections"] if part.short]
    links += [("photos", "Pictures")] if page["photos"] else []
    return [*links, ("missing", "Missing"), ("settings", "Settings")]


def _summary(results: BenchResults, images: int) -> list[str]:
    config = results.config
    images = images or int(results.table["image"].nunique())
    facts = (config.get("model"), config.get("dataset"), count(images, "image"), config.get("date"))
    return [str(fact) for fact in facts if fact]


def _words(results: BenchResults, metric: str) -> list[str]:
    """How every method that is no control compares with chance by one metric."""
    rows = results.summary[results.summary["metric"] == metric].to_dict("records")
    quiet = controls_of(results)
    return [beside_chance(r["gain_lower"], r["gain_upper"]) for r in rows if str(r["method"]) not in quiet]


def _reading(results: BenchResults) -> str:
    text = "Below each mean stands its 95 % interval over the images of this run."
    if not results.control:
        return text
    return (
        f"{text} Where a direction is better, each method is compared with {results.control} on the same images: it is "
        "better or worse than chance where the whole interval of the difference is on one side of zero. No correction "
        "is made for the number of comparisons."
    )
