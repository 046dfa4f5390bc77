"""Claims of section 4.1: weights are randomised, on the MNIST CNN (10 classes) and on photos (1000 classes)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...theory.nulls import survival
from ..judge import finding, said, within
from ..types import Claim, Experiment, Finding, Measured
from .randomisation import SIGNS, birds, birds_lrp, digits
from .randomisation_judges import Judge, blank, falls, first, late, shows, stops

DIGITS, BIRDS, BIRDS_LRP = "cgi-randomised", "cgi-randomised-photos", "cgi-randomised-photos-lrp"
EXPERIMENTS = (
    Experiment(
        DIGITS, digits, minutes=(0.7, 1.2), networks=("mnist-cnn",), data=("MNIST",),
        reduced="64 images, 5 randomisations",
    ),
    Experiment(
        BIRDS, birds, minutes=(1.4, 12.0), data=("photos", "squeezenet1_0_dc"),
        reduced="SqueezeNet in place of VGG-19, 12 photos at 96 px in place of 224, 3 of 10 blocks",
    ),
    Experiment(
        BIRDS_LRP, birds_lrp, minutes=(None, 8.0), data=("photos", "squeezenet1_0_dc"),
        reduced="SqueezeNet in place of VGG-16, 6 photos at 96 px in place of 224, 2 of 10 blocks",
    ),
)  # fmt: skip
PHOTOS = "SqueezeNet without its last ReLU, 1000 classes, birds at 96 px, each with a randomisation of its own"
SETTINGS = {
    DIGITS: "MNIST CNN with 10 classes, 5 randomisations of each block",
    BIRDS: PHOTOS,
    BIRDS_LRP: PHOTOS,
}


@dataclass(frozen=True)
class Row:
    """A claim on one figure, before it is known on which network."""

    id: str
    says: str
    source: str
    what: str
    judge: Judge
    published: str


BLANK, BIRD, STRUCTURE = "almost blank", "the bird, no matter which layer", "eliminates much of the structure"
ALIKE = "absolute rank correlation of map and image"
LIKENESS = "absolute rank correlation with the trained network's map"
LESS = "almost blank is under 5 %, and less than on the trained network for the same images"
LOWER = "at every stage competition lowers the absolute rank correlation by over .2 and keeps under half of the mass"
RULE = "the alphabeta rule (2, 1) in place of epsilon, since the paper names none"

LAYERWISE = (
    Row("S0-Fig4-blank", "CGI's map is almost blank when any one layer is randomised.", "section 4.1.1, figure 4",
        f"share of gradient x input's nonzero values that CGI keeps; {LESS}, at every layer",
        blank("independent", "cgi"), BLANK),
    Row("S0-Fig4-shows", "Gradient x input shows the image whichever layer is randomised.",
        "section 4.1.1, figures 4, 8 and 10",
        f"{ALIKE}; shows is over .5 at every layer", shows("independent", "gradient_x_input"), BIRD),
    Row("S0-Fig4-stops", "CGI stops revealing the image as soon as any layer is randomised.", "section 4.1.1, figure 4",
        f"{ALIKE}; stops is under .5 at every layer, and over .2 less than on the trained network",
        stops("independent", "cgi"), "immediately stops"),
    Row("S0-Fig8-blank", "In red and blue too CGI is almost blank when any one layer is randomised.", "figure 8",
        f"share of gradient x input's positive, and of its negative mass that CGI keeps; {LESS}",
        blank("independent", "cgi", ("red", "blue")), BLANK),
    Row("S0-Fig10-blank", "In absolute values too CGI is almost blank when any one layer is randomised.", "figure 10",
        f"share of gradient x input's L1 mass that CGI keeps; {LESS}, at every layer",
        blank("independent", "cgi", ("mass",)), BLANK),
)  # fmt: skip
CASCADE = (
    Row("S0-Fig5-blank", "CGI's map is almost blank even when only the softmax layer is randomised.",
        "section 4.1.2, figure 5",
        f"share of gradient x input's nonzero values that CGI keeps, top layer random; {LESS}",
        blank("cascading", "cgi", where=first), BLANK),
    Row("S0-Fig5-shows", "Gradient x input shows the image after multiple blocks were randomised.",
        "section 4.1.2, figure 5", f"{ALIKE}, half of the blocks random or more; shows is over .5",
        shows("cascading", "gradient_x_input", where=late), "the bird, after multiple blocks"),
    Row("S0-Fig5-more", "CGI is much more sensitive to randomised weights than gradient x input.", "section 4.1.2",
        f"{LIKENESS}: the two methods' difference on the same images and networks; much is over .2 at every stage",
        falls("cascading", "gradient_x_input", "cgi"), "much more sensitive"),
)  # fmt: skip
RELEVANCE = (
    Row("S0-Fig6-shows", "LRP shows the image after multiple blocks were randomised.", "section 4.1.3, figure 6",
        f"LRP-epsilon: {ALIKE}, half of the blocks random or more; shows is over .5",
        shows("cascading", "lrp", where=late), "the bird, after multiple blocks"),
    Row("S0-Fig6-less", "CLRP eliminates much of the structure that LRP shows.", "section 4.1.3, figure 6",
        f"LRP-epsilon: {LOWER}", falls("cascading", "lrp", "clrp", mass=0.5), STRUCTURE),
)  # fmt: skip
OTHER_RULE = (
    Row("S0-Fig9-shows", "LRP shows the image after multiple blocks were randomised (another rule).", "figure 9",
        f"{RULE}: {ALIKE}, half of the blocks random or more; shows is over .5",
        shows("cascading", SIGNS[0], where=late), "the bird, after multiple blocks"),
    Row("S0-Fig9-less", "CLRP eliminates much of the structure that LRP shows (another rule).", "figure 9",
        f"{RULE}: {LOWER}; class of the trained network", falls("cascading", *SIGNS, mass=0.5), STRUCTURE),
    Row("S0-Fig9-less-own", "CLRP eliminates much of the structure, explaining the class that the network in hand names.",
        "figure 9", f"{RULE}: as S0-Fig9-less, but of the class that each random network names (iNNvestigate's default)",
        falls("cascading", *SIGNS, choice="predicted/", mass=0.5), STRUCTURE),
)  # fmt: skip


def _chance(found: Measured) -> Finding:
    kept = found["cascading/cgi/kept/1"]
    held = within(kept, 1 / 10, 0.02)
    return finding(held, f"share kept {said(kept, 3)}; 1/k is .100, 2(1 - 2^-k)/k is {survival(10):.3f}", kept)


CHANCE = Row(
    "S0-Fig5-chance", "With the top layer random a pixel stays with probability 1/k.", "section 3.1, figure 5",
    "share of gradient x input's nonzero values that CGI keeps, top layer random, class fixed beforehand; held: within .02",
    _chance, "1/k",
)  # fmt: skip


def claims(rows: tuple[Row, ...], experiment: str, why: Mapping[str, str], suffix: str = "") -> tuple[Claim, ...]:
    """The rows on one network. why: by the claim's id, of those that need one."""
    return tuple(
        Claim(row.id + suffix, row.says, row.source, f"{SETTINGS[experiment]}: {row.what}.", row.judge, experiment,
              published=row.published, why=why.get(row.id + suffix, ""), error=row is CHANCE)
        for row in rows
    )  # fmt: skip
