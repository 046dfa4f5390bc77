"""How to read the cards: words and legend follow the check that the verdicts are of."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from ..checks.kinds import CHECKS as KINDS
from ..experiment.results import Results
from ..plots._select import first_check, without_verdict
from .cards import Card
from .check_words import CHECKS
from .use import judged_whole
from .words import MEANING

FLOOR = Markup("The <b>null floor</b> is the similarity that unrelated networks reach on the same photo.")
CURVE = Markup("Shaded around curve and floor: 95 % intervals.")
ZONE = Markup(
    "A curve in the shaded corner still follows the original network with half of it, or more, gone: insensitive."
)
WHOLE = Markup(
    "A curve that ends in the shaded corner still follows the original network with all of it gone: insensitive."
)
EXCESS = Markup("<b>Excess</b> is what is left above the floor: 1 = the same map, 0 = no more than chance.")
FAITHFULNESS = Markup(
    "<b>Faithfulness</b>, where measured, is how much better than a random order the map’s ranking of the pixels predicts "
    "what removing them does to the score."
)


@dataclass(frozen=True)
class Guide:
    """What stands above the cards.

    Attributes:
        reason: why there is no verdict; "" where there is one.
        tested: what was done to the network, in a few words.
        texts: how to read a card.
        legend: of "curve", "floor" and "zone" those that are drawn in the cards.
        meaning: verdict -> what it says under this check.
    """

    reason: str
    tested: str
    texts: list[Markup]
    legend: list[str]
    meaning: dict[str, str]


def guide(results: Results, cards: list[Card]) -> Guide:
    """The words for the first check of a run, and the legend of what its cards draw."""
    first, judged = first_check(results), not without_verdict(results)
    drawn = any(card.panels for card in cards)
    legend = [*(["curve", "floor"] if drawn else []), *(["zone"] if drawn and judged else [])]
    zone = WHOLE if judged_whole(results, first) else ZONE
    texts = [
        Markup(" ").join([_does(first), FLOOR, *([CURVE] if drawn else []), *([zone] if drawn and judged else [])])
    ]
    texts.append(Markup(" ").join([*([EXCESS] if judged else []), FAITHFULNESS]))
    reasons = [] if judged else list(map(str, results.verdicts["reason"]))
    tested = KINDS[first].title if first in KINDS else first
    return Guide(next(iter(reasons), ""), tested, texts, legend, meaning(results, first) if judged else {})


def _does(check: str) -> Markup:
    compared = " Each map is compared with the map of the intact network."
    kind = KINDS.get(check)
    return Markup("{}{}").format(CHECKS.get(check, ""), compared if kind and kind.order else "")


def meaning(results: Results, check: str) -> dict[str, str]:
    """verdict -> what it says under a check."""
    if check == "labels":
        return MEANING | {
            "insensitive": "It hardly differs from the map of a network trained on permuted labels: not evidence of what "
            "was learned from the labels.",
            "undecided": "The photos and seeds of this run do not suffice to say, or its networks did not learn enough.",
            "sensitive": "It depends on what was learned from the labels. Whether it is right is another question.",
        }
    if judged_whole(results, check):
        text = "It hardly changes when all of the network is randomised: not evidence of what was learned."
        return MEANING | {"insensitive": text}
    return MEANING
