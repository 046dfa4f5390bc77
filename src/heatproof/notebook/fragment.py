"""A piece of HTML for the output of a notebook's cell: a line about it, tables, drawings, notes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup
from matplotlib.figure import Figure

from ..report.bench_parts import Scores, drawing
from ..report.page import asset, filled
from ..report.parts import Drawing

if TYPE_CHECKING:
    from ..experiment.bench_results import BenchResults
    from ..experiment.results import Results
    from ..experiment.retrain_results import RetrainResults

DARK = (
    '[data-jp-theme-light="false"]', ".vscode-dark", ".vscode-high-contrast", '[data-md-color-scheme="slate"]',
    '[theme="dark"]',
)  # fmt: skip
"""What says that a notebook is dark: JupyterLab and nbconvert, VS Code, Material for MkDocs, Colab. The system's own
preference says nothing of the page around."""


@dataclass(frozen=True)
class Fragment:
    """What is shown of one object.

    Attributes:
        title: what it is. facts: about it, in few words. report: the page to read on.
        tables: the first, then drawings, then notes, which are sentences; folded: further tables, each behind a line.
    """

    title: str
    facts: Sequence[str] = ()
    report: Path | None = None
    tables: Sequence[Scores] = ()
    drawings: Sequence[Drawing] = ()
    notes: Sequence[str] = ()
    folded: Sequence[Scores] = ()


def written(fragment: Fragment) -> str:
    """The HTML: every text escaped, no script, no request, a plain table where styles are taken away."""
    link = address(fragment.report) if fragment.report else ""
    return filled("fragment.html", {**vars(fragment), "link": link, "css": _style()}, __package__)


def figure_of(figure: Figure, label: str) -> Drawing:
    """A figure for a fragment; its ids are of its own, since a notebook is one page."""
    return drawing(label, figure, hashlib.sha256(label.encode(errors="replace")).hexdigest()[:8] + "-", label)


def facts_of(config: Mapping[str, Any], *more: str) -> list[str]:
    """Model, data and what else there is to say in few words."""
    return [str(fact) for fact in (config.get("model"), config.get("dataset"), *more) if fact]


def troubles_of(results: Results | BenchResults | RetrainResults) -> list[str]:
    """What could not run and why, and what a run says of itself."""
    refused = [f"Could not run: {row['method']}: {row['error']}" for row in results.refused.to_dict("records")]
    return [*refused, *(f"Note: {text}" for text in results.config.get("warnings") or ())]


def address(path: Path) -> str:
    """Where a file is for a page that stands in the current folder; of one outside of it the whole address."""
    relative = os.path.relpath(path)
    return path.resolve().as_uri() if relative.startswith("..") else quote(Path(relative).as_posix())


def _style() -> Markup:
    """The style sheet with the colours of the report, each of which is `light-dark(...)`: the place chooses."""
    sheets = (asset(name) for name in ("style.css", "bench.css"))
    colours = re.findall(r"--[\w-]+: light-dark\([^)]*\);", "".join(sheets))
    darks = ", ".join(f"{where} .heatproof" for where in DARK)
    text = f".heatproof {{color-scheme: light; {' '.join(colours)}}}\n{darks} {{color-scheme: dark}}\n"
    return Markup(re.sub(r"\s+", " ", text + asset("style.css", __package__)))
