"""What a paper is made of here: claims, the experiments that measure them, and the pictures that show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .lab import Lab


class Number(NamedTuple):
    """A measured value with its 95 % interval; both ends NaN where it is exact, or from one draw."""

    value: float
    lower: float = nan
    upper: float = nan


UNKNOWN = Number(nan)


@dataclass(frozen=True)
class Measured:
    """What an experiment leaves: numbers for verdicts, arrays for pictures, words for both.

    Attributes:
        numbers: by a name of parts joined by "/", such as "cascading/gradient/spearman/1".
        arrays: on the CPU.
        words: names of stages or classes (joined by newlines), the folder of a run, remarks.
        failed: why the experiment could not be done; then there is nothing else.
    """

    numbers: Mapping[str, Number] = field(default_factory=dict)
    arrays: Mapping[str, Tensor] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    failed: str = ""

    def __getitem__(self, name: str) -> Number:
        return self.numbers[name]

    def value(self, name: str) -> float:
        return self.numbers[name].value

    def listed(self, name: str) -> list[str]:
        """A word that is a list, one item a line."""
        return self.words[name].split("\n")


@dataclass(frozen=True)
class Experiment:
    """One measurement, shared by the claims that it answers; its result follows from the lab alone.

    Attributes:
        name: of its files; unique among all papers.
        measure: does the work; a function of a module, so that worker processes find it.
        minutes: on one core, of (quick, full); None: not in that budget.
        networks: trained networks that it needs, by their names in `networks.TRAINED`.
        data: parts of the data folder that it needs (`data.FILES`), or weights by the name of their file.
        reduced: what "full" on a CPU leaves out of the paper's protocol, in one line; "" for nothing.
    """

    name: str
    measure: Callable[[Lab], Measured]
    minutes: tuple[float | None, float | None] = (0.1, 0.1)
    networks: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    reduced: str = ""


@dataclass(frozen=True)
class Finding:
    """What a measurement says of a claim.

    Attributes:
        held: None where it cannot be told.
        measured: the numbers in words, with their intervals.
        number: the one number that decides, with its interval.
        reason: why it cannot be told; "" else.
    """

    held: bool | None
    measured: str
    number: Number = UNKNOWN
    reason: str = ""


@dataclass(frozen=True)
class Claim:
    """One thing that a paper says, and how it is measured again.

    Attributes:
        id: of the checklist in semantics.md, or a name beside it: "S0-Fig5".
        says: the claim, in one line.
        source: where the paper says it: "section 4.1.2, figure 5".
        protocol: what was measured here, in one or two lines.
        judge: what the experiment's numbers say of it.
        experiment: the name of the experiment; "" where none can run here.
        published: the paper's number, or what it says in words.
        why: one sentence on what differs from the paper and why, by the one who measured it; "" where nothing does.
        missing: why it cannot run here, and what to run where it can; "" for claims with an experiment.
        error: the paper errs here, and the claim shows how.
    """

    id: str
    says: str
    source: str
    protocol: str
    judge: Callable[[Measured], Finding] | None = None
    experiment: str = ""
    published: str = ""
    why: str = ""
    missing: str = ""
    error: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure redrawn from a measurement; the claims that it shows stand under it.

    Attributes:
        title: what is seen, in one line.
        source: the paper's figure that it redraws: "figure 5"; "" for one of our own.
        experiment: whose result it draws.
        draw: a figure of matplotlib.
        claims: ids, the first one first.
        photos: made of images, so kept as pixels; else drawn as lines in the colours of the page.
    """

    title: str
    source: str
    experiment: str
    draw: Callable[[Measured], Figure]
    claims: tuple[str, ...]
    photos: bool = False


@dataclass(frozen=True)
class Paper:
    """One paper: its claims, their experiments and the pictures.

    Attributes:
        name: on the command line: "cgi".
        prefix: of its claims' ids: "S0".
    """

    name: str
    prefix: str
    title: str
    authors: str
    link: str
    claims: tuple[Claim, ...]
    experiments: tuple[Experiment, ...]
    pictures: tuple[Picture, ...] = ()

    def claim(self, id: str) -> Claim:
        return next(claim for claim in self.claims if claim.id == id)


def joined(*groups: Any) -> tuple[tuple[Claim, ...], tuple[Experiment, ...], tuple[Picture, ...]]:
    """Claims, experiments and pictures of several modules, each of which holds CLAIMS, EXPERIMENTS and PICTURES."""
    claims = tuple(claim for group in groups for claim in group.CLAIMS)
    experiments = tuple(experiment for group in groups for experiment in group.EXPERIMENTS)
    return claims, experiments, tuple(picture for group in groups for picture in group.PICTURES)
