"""The page of a run: templates, style and the policy that forbids every request."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ..experiment.files import write_bytes
from ..visible import visible
from .settings import label
from .words import SHAPES, breakable, percent

HERE = "heatproof.report"


def write_page(
    folder: Path,
    template: str,
    values: Mapping[str, Any],
    styles: tuple[str, ...] = ("style.css",),
    name: str = "report.html",
    scripts: tuple[str, ...] = ("script.js", "tables.js"),
) -> Path:
    """Write a page into a run folder: whole or not at all, every text escaped, no request and no other file.

    Args:
        template: its file beside this one. values: what it reads. styles, scripts: sheets and scripts that it holds.
        name: of the page.

    Raises:
        RunError: the folder cannot be written.
    """
    script = Markup("".join(map(asset, scripts)))
    fixed = {"policy": _policy(script), "style": Markup("".join(map(asset, styles))), "script": script}
    return write_bytes(folder / name, filled(template, {**fixed, **values}).encode("utf-8"))


def filled(template: str, values: Mapping[str, Any], package: str = HERE) -> str:
    """A template of a package with its values: every text escaped, every character that acts written as its code.

    It may import the macros of the report.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name, "") for name in (package, HERE)]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = breakable
    fixed = {"shapes": SHAPES, "label": label, "percent": percent}
    return visible(environment.get_template(template).render({**fixed, **values}))


def asset(name: str, package: str = HERE) -> str:
    """A text that is part of a package: a style sheet or a script."""
    return (resources.files(package) / name).read_text("utf-8")


def _policy(script: str) -> str:
    """No request at all; no script but the one whose hash is given. Styles are inline, as the drawings need."""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
