"""The report of remove and retrain: curves, areas beside published ones, and the order of methods beside theirs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..plots.retrain import chance_of, is_quiet
from .bench import STYLES, contents
from .bench_parts import shared_values, tally
from .bench_words import beside_chance
from .page import write_page
from .retrain_order import ranking
from .retrain_sections import NAMES, area_scores, retrain_section
from .retrain_tables import interval_words
from .words import count

if TYPE_CHECKING:
    from ..experiment.retrain_results import RetrainResults

ABOUT = {
    "roar": (
        "Remove and retrain (ROAR): the pixels that a method calls most salient are replaced in every training and test "
        "image, fresh networks are trained on what is left, and their test accuracy is measured. The lower it is, the more "
        "of what matters the method has found."
    ),
    "kar": (
        "Keep and retrain (KAR): only the pixels that a method calls most salient are kept. The higher the accuracy of "
        "networks trained on them, so the smaller the area over the curve, the more of what matters they hold."
    ),
}
MIND = (
    "Read every method beside the random control: it removes as many pixels, in no order. Blurring a map often improves "
    "its score without adding anything (Song et al. 2023), and the shape of what is removed may itself give the class away "
    "(Rong et al. 2022): the entries “blurred” and “mask only” show how much."
)
SOURCE = "Hooker et al. 2019 (ROAR and KAR); Kim et al. 2019 (RectGrad), Table 1"


def render_retrain(results: RetrainResults) -> Path:
    """Write ``report.html`` into the run folder of a retraining: one file that needs no network and no other file.

    Args:
        results: what the run left; all numbers come from it but the rank correlation of its order and the published one.

    Returns:
        The path of the report.

    Raises:
        RunError: the folder cannot be written.
    """
    return write_page(results.folder, "bench.html", _values(results), STYLES)


def _values(results: RetrainResults) -> dict[str, Any]:
    config = results.config
    directions = list(dict.fromkeys(map(str, results.areas["direction"])))
    keys = ("directions", "preset", "fractions", "networks", "methods", "controls", "seed")
    page = shared_values(results.folder, config, {key: config.get(key) for key in keys})
    found = [area_scores(results, direction) for direction in directions]
    facts = (config.get("model"), config.get("dataset"), count(int(config.get("networks", 1)), "network") + " a point")
    values: dict[str, Any] = {
        "title": " · ".join(NAMES[direction] for direction in directions),
        "summary": [str(fact) for fact in (*facts, config.get("date")) if fact],
        "tally": tally(_words(results, directions[0])) if directions else [],
        "tally_of": NAMES[directions[0]] if directions else "",
        "about": [*(ABOUT[direction] for direction in directions), MIND],
        "source": SOURCE,
        "reduced": [str(text) for text in config.get("reduced") or []],
        "scores": found,
        "more_scores": [],
        "reading": [_reading(results)],
        "gains": None,
        "chance": chance_of(results),
        "sections": [retrain_section(results, direction) for direction in directions],
        "troubles": {"stopped": _stopped(results), "undefined": []},
    }
    return page | values | {"contents": contents(values, page)}


def _stopped(results: RetrainResults) -> list[dict[str, str]]:
    rows = {str(r["method"]): (str(r["status"]), str(r["error"])) for r in results.refused.to_dict("records")}
    rows |= {str(m): ("refused", str(error)) for m, error in (results.config.get("refused") or {}).items()}
    return [{"method": m, "status": s, "images": "all", "error": error} for m, (s, error) in rows.items()]


def _words(results: RetrainResults, direction: str) -> list[str]:
    rows = ranking(results, direction)
    return [beside_chance(r["gain_lower"], r["gain_upper"]) for r in rows if not is_quiet(results, str(r["method"]))]


def _reading(results: RetrainResults) -> str:
    chance = chance_of(results)
    text = f"Areas are lower where a method is better; below each stands its 95 % interval. {interval_words(results)}"
    return f"{text} Gains are over {chance} on the same networks, positive = better." if chance else text
