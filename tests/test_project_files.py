"""CITATION.cff, CHANGELOG.md and the README's markers keep the forms that their readers rely on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import heatproof

ROOT = Path(__file__).parents[1]
PAPERS = {"arXiv:1810.03292", "arXiv:1905.12152", "arXiv:1905.00780", "arXiv:1902.04893"}
TYPES = {"article", "conference-paper", "software"}


def _named(person: dict[str, Any]) -> bool:
    """A person or an entity of the Citation File Format, version 1.2.0."""
    return set(person) == {"name"} or {"family-names", "given-names"} <= set(person)


def test_citation() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with heatproof[docs]")
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(cff)  # what the format asks for
    assert (cff["cff-version"], cff["type"], cff["license"]) == ("1.2.0", "software", "Apache-2.0")
    assert str(cff["version"]) == heatproof.__version__
    assert all(map(_named, cff["authors"]))
    cited = set()
    for one in cff["references"]:
        assert {"type", "title", "authors", "year"} <= set(one)
        assert one["type"] in TYPES
        assert one["authors"]
        assert all(map(_named, one["authors"]))
        cited |= {i["value"] for i in one["identifiers"]}
    assert cited == PAPERS


def test_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert sections[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", name) for name in sections[1:])
    kinds = set(re.findall(r"^### (.*)$", text, flags=re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_readme_has_the_markers_of_the_table() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    begin, end = text.index("<!-- methods table -->"), text.index("<!-- end of methods table -->")
    assert text[begin:end].count("\n| ") >= 2
