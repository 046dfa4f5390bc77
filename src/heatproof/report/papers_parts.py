"""What the page of claims is made of; the template prints it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from ..papers.types import Paper
from ..papers.verdicts import CANNOT, HELD, NOT_HELD, OUT, TODO, VERDICTS, Claims
from .papers_pictures import Drawn, drawn

MARKS = {HELD: "held", NOT_HELD: "not", CANNOT: "cannot", OUT: "out", TODO: "todo"}
"""Names of a shape and a colour, which stand beside the word of every verdict."""
MEANING = {
    HELD: "The measurement says so too; where it has an interval, all of it does.",
    NOT_HELD: "The measurement says otherwise here. Where the network, the data or the counts differ from the paper's, "
    "the sentence beside it says so: then the paper is not refuted, but what it says does not carry over.",
    CANNOT: "Weights or data are not here, or the interval holds both answers; the reason says which.",
    OUT: "Left out of this budget because it takes long; the full budget measures it.",
    TODO: "In this budget, and not finished yet: the same command goes on.",
}


@dataclass(frozen=True)
class Row:
    """One claim, ready to print.

    Attributes:
        said: why it cannot be told, or what differs from the paper and why.
        error: the paper errs here, and the claim shows how.
        shown: it stands under a picture, and the table links there.
    """

    id: str
    verdict: str
    claim: str
    source: str
    published: str
    measured: str
    said: str
    protocol: str
    reduced: str
    experiment: str
    error: bool
    shown: bool

    @property
    def shows_error(self) -> bool:
        """The paper errs here, and there is a measurement or a reason that says so."""
        return self.error and self.verdict not in (OUT, TODO)

    @property
    def mark(self) -> str:
        return MARKS[self.verdict]

    @property
    def anchor(self) -> str:
        return "claim-" + re.sub(r"\s+", "-", self.id)


@dataclass(frozen=True)
class Shown:
    """A picture with the claims under it; ``again`` are those that stand in full under an earlier one."""

    title: str
    source: str
    drawn: Drawn
    photos: bool
    claims: list[Row]
    again: list[Row]


@dataclass(frozen=True)
class Part:
    """One paper; ``undrawn`` are titles of pictures without a measurement, and why there is none."""

    paper: Paper
    counts: dict[str, int]
    pictures: list[Shown]
    rows: list[Row]
    undrawn: list[str]


def part(paper: Paper, claims: Claims) -> Part:
    """What a paper has in a folder of claims."""
    pictures = [picture for picture in paper.pictures if picture.experiment in claims.found]
    under = {id for picture in pictures for id in picture.claims}
    rows = {row.id: row for row in rows_of(paper, claims, under)}
    shown: list[Shown] = []
    told: set[str] = set()
    for number, picture in enumerate(pictures):
        held = [rows[id] for id in picture.claims if id in rows]
        label = f"{picture.title}. " + " ".join(f"{row.id}: {row.verdict}." for row in held)
        image = drawn(picture, claims.found[picture.experiment], f"{paper.name}-{number}-", label)
        new = [row for row in held if row.id not in told]
        shown.append(
            Shown(picture.title, picture.source, image, picture.photos, new, [r for r in held if r not in new])
        )
        told |= {row.id for row in held}
    out = claims.config.get("left_out", {})
    undrawn = [f"{p.title} ({out.get(p.experiment) or TODO})" for p in paper.pictures if p not in pictures]
    return Part(paper, count(rows.values()), shown, list(rows.values()), undrawn)


def rows_of(paper: Paper, claims: Claims, under: Iterable[str] = ()) -> list[Row]:
    """The claims of a paper that a folder knows; ``under``: ids that stand under a picture."""
    errors = {claim.id for claim in paper.claims if claim.error}
    own = claims.table[claims.table["paper"] == paper.name].to_dict("records")
    texts = ("id", "verdict", "claim", "source", "published", "measured", "protocol", "reduced", "experiment")
    return [
        Row(
            **{name: str(row[name]) for name in texts},
            said="" if row["verdict"] in (OUT, TODO) else sentences(row["reason"], row["why"]),
            error=row["id"] in errors,
            shown=row["id"] in set(under),
        )
        for row in own
    ]


def sentences(*texts: str) -> str:
    """Texts one after the other, each as a sentence.

    Example:
        >>> sentences("the interval holds both answers", "", "SqueezeNet stands for VGG-16.")
        'The interval holds both answers. SqueezeNet stands for VGG-16.'
    """
    return " ".join(
        (text if text.startswith("heatproof ") else text[0].upper() + text[1:]) + ("" if text[-1] in ".!?" else ".")
        for text in texts
        if text
    )


def count(rows: Iterable[Row]) -> dict[str, int]:
    """How many claims have each verdict, all verdicts, in their order."""
    counts = Counter(row.verdict for row in rows)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts of several papers together."""
    every = list(counts)
    return {verdict: sum(one[verdict] for one in every) for verdict in VERDICTS}


def coded(text: str) -> Markup:
    """A text, escaped, with commands set as code: what stands in backticks, or after a colon.

    Example:
        >>> coded("needs <weights>: heatproof audit vgg19")
        Markup('needs &lt;weights&gt;: <code>heatproof audit vgg19</code>')
    """
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if code else escape(piece) for piece, code in commands(text)
    )


def commands(text: str) -> list[tuple[str, bool]]:
    """A text in pieces, each with whether it is a command."""
    if "`" not in text:
        text = re.sub(r"(?<=: )(heatproof (?:'[^']*'|(?! \(|[;.,](?:\s|$)).)+)", r"`\1`", text, count=1)
    return [(piece, place % 2 == 1) for place, piece in enumerate(text.split("`")) if piece]
