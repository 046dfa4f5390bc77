"""Parts that the pages of benches and of retraining share: scores with words, drawings, tallies, missing numbers."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup
from matplotlib.figure import Figure

from ..plots._lines import QUIET, SERIES
from ..plots._style import CURVE, VERDICT_COLOURS, ZONE
from .bench_words import MARKS, beside_chance, significant, span
from .parts import Drawing
from .settings import label, settings
from .svg import inline_svg

_OWN = [colour for colour in SERIES if colour not in (CURVE, ZONE, *VERDICT_COLOURS.values())]
_VARIABLES = {colour: f"var(--series-{i})" for i, colour in enumerate(_OWN, 1)} | {QUIET: "var(--quiet)"}
PHOTOS = 24
IMAGES = 200
"""So many photos are shown, and so many images are listed, in a page."""


class Score(NamedTuple):
    """A number with its interval, and how it compares with chance: words, and the verdict whose mark they take."""

    text: str
    small: str = ""
    word: str = ""
    mark: str = ""


class Head(NamedTuple):
    """The head of a column: its title, and a smaller text below."""

    title: str
    small: str = ""


@dataclass(frozen=True)
class Scores:
    """A table of scores; rows are (name, whether it is a control, its scores)."""

    caption: str
    corner: str
    heads: list[Head]
    rows: list[tuple[str, bool, list[Score]]]


def score(row: Mapping[Any, Any], name: str = "mean") -> Score:
    """The cell of one aggregated row; an empty row is a dash."""
    word = beside_chance(row.get("gain_lower"), row.get("gain_upper"))
    return Score(significant(row.get(name)), span(row.get("lower"), row.get("upper")), word, MARKS.get(word, ""))


def gain(row: Mapping[Any, Any]) -> Score:
    """The cell of a gain over chance: signed, with its interval."""
    text = significant(row.get("gain"))
    signed = f"+{text}" if text[0].isdigit() and text != "0" else text
    return Score(signed, span(row.get("gain_lower"), row.get("gain_upper")))


def tally(words: Iterable[str]) -> list[tuple[str, int, str]]:
    """How many methods are better, not told apart, and worse: (mark, count, words)."""
    counts = Counter(words)
    return [(mark, counts[word], word) for word, mark in MARKS.items() if counts[word]]


def drawing(title: str, figure: Figure, prefix: str, label: str) -> Drawing:
    """A figure for the page, its eight line colours as CSS variables, with its text alternative."""
    svg = inline_svg(figure, prefix, label)
    return Drawing(title, Markup(re.sub("|".join(_VARIABLES), lambda found: _VARIABLES[found[0]], svg)))


def photos(folder: Path, config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Pictures of the folder ``photos`` as (name, data URI); a number is the place of an image of the run."""
    files = sorted((folder / "photos").glob("*.png"), key=lambda p: (not p.stem.isdigit(), len(p.stem), p.stem))
    found = []
    for path in files[:PHOTOS]:
        uri = "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
        found.append((_photo_name(path.stem, config), uri))
    return found


def _photo_name(stem: str, config: Mapping[str, Any]) -> str:
    images = config.get("images") or []
    if stem.isdigit() and int(stem) < len(images):
        return str(images[int(stem)].get("name", stem))
    return stem.replace("_", " ")


def shared_values(folder: Path, config: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
    """What the template reads whatever was measured; ``first`` is the first group of the settings."""
    images = list(config.get("images") or [])
    rest = {k: v for k, v in config.items() if k not in {*first, *_NO_SETTING}}
    return {
        "model": str(config.get("model", "unnamed model")),
        "photos": photos(folder, config),
        "images": images[:IMAGES],
        "image_count": len(images),
        "warnings": [str(text) for text in config.get("warnings") or []],
        "settings": {"Measured": dict(_named(first)), **settings(rest)},
    }


_NO_SETTING = ("jobs", "published", "reduced", "original")


def _named(entries: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in entries.items():
        if value not in (None, "", [], {}):
            yield label(key), value
