"""What a section of the report is made of; the template prints it, nothing is worked out here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from markupsafe import Markup


class Cell(NamedTuple):
    """One cell of a table: a text, a smaller one below it, and a verdict whose shape and colour stand before it."""

    text: str
    small: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class Table:
    """A table whose rows start with their own heading; columns name the cells after it."""

    caption: str
    corner: str
    columns: list[str]
    rows: list[tuple[str, list[Cell]]]


@dataclass(frozen=True)
class Drawing:
    """A figure with its title."""

    title: str
    svg: Markup


@dataclass(frozen=True)
class More:
    """Drawings and tables behind a line that opens them; small drawings stand beside each other."""

    title: str
    drawings: list[Drawing] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    small: bool = False


@dataclass(frozen=True)
class Section:
    """One part of the page.

    Attributes:
        id: the anchor.
        title: the heading.
        short: how the list of contents calls it; "" leaves it out.
        texts: paragraphs in plain words.
        caveat: what the numbers do not say; "" for none.
        alert: why nothing can be concluded; "" for none.
        under: belongs under the section before it.
    """

    id: str
    title: str
    short: str = ""
    texts: list[str] = field(default_factory=list)
    caveat: str = ""
    alert: str = ""
    under: bool = False
    drawings: list[Drawing] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    more: list[More] = field(default_factory=list)
