"""What the pages say of methods and public names is made from the package: a method of one file is on the site with it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import heatproof
from heatproof import METHODS
from heatproof.combine import Composed
from heatproof.types import spec_of

REFERENCE = Path(__file__).parents[1] / "reference"
PACKAGE = Path(heatproof.__file__).parent
NAMED = re.compile(r"^::: heatproof\.(?:.*\.)?(\w+)$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put lists in the place of their marks; MkDocs calls it for each page."""
    for mark, made in MARKS.items():
        if mark in markdown:
            markdown = markdown.replace(mark, "\n".join(made()))
    return markdown


def _table() -> list[str]:
    """One row for each method."""
    rows = [_row(name) for name in sorted(METHODS)]
    return ["| method | what it is | map | sums to the score | source |", "|---|---|---|---|---|", *rows]


def _row(name: str) -> str:
    spec = spec_of(METHODS[name])
    assert spec is not None, name
    line = (METHODS[name].__doc__ or "").strip().splitlines()[0].split("``")[0].strip()
    if isinstance(METHODS[name], Composed):
        line = f"`{_made_of(name)}`: {line[0].lower()}{line[1:]}"
    shape = "as the input" if spec.channels else "one channel"
    signed = "signed" if spec.signed else "not negative"
    link = f"[`{name}`](../reference/methods.md#heatproof.{name})"
    return f"| {link} | {line} | {shape}, {signed} | {'yes' if spec.complete else ''} | {spec.source} |"


def _methods() -> list[str]:
    """The docstring of each method, and of what it is made where that is another."""
    return [_entry(name) for name in sorted(METHODS)]


def _entry(name: str) -> str:
    if not isinstance(METHODS[name], Composed):
        return f"::: heatproof.{name}\n"
    spec, outer = spec_of(METHODS[name]), METHODS[name].name
    assert spec is not None, name
    return (
        f"## `{name}` {{ #heatproof.{name} }}\n\n`{_made_of(name)}`, and takes the options of "
        f"[{outer}](combinators.md#heatproof.{outer}). Source: {spec.source}.\n"
    )


def _made_of(name: str) -> str:
    return repr(replace(METHODS[name], title=""))


def _others() -> list[str]:
    """Public names that no page of the reference names."""
    pages = [page.read_text(encoding="utf-8") for page in REFERENCE.glob("*.md")]
    known = {*METHODS, "METHODS", "__version__"}.union(*map(NAMED.findall, pages))
    return [f"::: {_path(name)}\n" for name in heatproof.__all__ if name not in known]


def _path(name: str) -> str:
    """Where it is found: a module of the same name hides what the package calls so."""
    return f"heatproof.{name}.{name}" if (PACKAGE / f"{name}.py").exists() else f"heatproof.{name}"


MARKS = {
    "<!-- table of every method -->": _table,
    "<!-- every method -->": _methods,
    "<!-- every other name -->": _others,
}
