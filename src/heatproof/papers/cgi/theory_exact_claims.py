"""Claims that are exact: definitions, lemma 1, both algorithms, what competition goes over, and slips of the text."""

from __future__ import annotations

from collections.abc import Callable

from ..judge import every, finding, plain
from ..types import Claim, Experiment, Finding, Measured, Picture
from .theory_exact import CLASSES, COMPLETE, IMAGES, NETWORKS, definitions

EXACT, QUADRATURE = 1e-6, 0.01
"""Rounding in float64 with differences of 1e-6; integrated gradients with 300 steps over kinks, of the logit."""
RANDOM = f"{NETWORKS} random ReLU networks, {IMAGES} images, all {CLASSES} logits, float64"


def _equal(name: str, text: str, limit: float = EXACT) -> Callable[[Measured], Finding]:
    def judge(found: Measured) -> Finding:
        return finding(found.value(name) < limit, f"{text} {plain(found.value(name))}", found[name])

    return judge


def _lemma(found: Measured) -> Finding:
    text = (
        f"largest |sum - logit| / largest logit: {plain(found.value('lemma 1'))} without biases, "
        f"{plain(found.value('bias gap'))} with biases"
    )
    return finding(found.value("lemma 1") < EXACT, text, found["lemma 1"])


def _second_algorithm(found: Measured) -> Finding:
    held = every(found.value(name) < EXACT for name in ("algorithm 2", "relevance"))
    text = f"largest difference {plain(found.value('algorithm 2'))}; of LRP itself {plain(found.value('relevance'))}"
    return finding(held, text, found["algorithm 2"])


def _any_map(found: Measured) -> Finding:
    rules = [found.value(f"rule/{name}") < EXACT for name in COMPLETE]
    complete = [
        found.value(f"complete/{name}") < (QUADRATURE if name.startswith("integrated") else EXACT) for name in COMPLETE
    ]
    text = "; ".join(
        f"{name}: sum off by {plain(found.value(f'complete/{name}'))} of the logit, contest off by "
        f"{plain(found.value(f'rule/{name}'))}, up to {found.value(f'removed/{name}'):.0%} removed"
        for name in COMPLETE
    )
    return finding(every([*rules, *complete]), text)


def _equivalent(found: Measured) -> Finding:
    held = every(found.value(f"{name} equals") < EXACT for name in ("LRP", "DeepLIFT"))
    text = (
        f"largest difference: LRP {plain(found.value('LRP equals'))}, DeepLIFT {plain(found.value('DeepLIFT equals'))}"
    )
    return finding(held, text)


def _strict(found: Measured) -> Finding:
    strict, ties = found.value("twins kept, larger wins"), 1 - found.value("twins lost, equal wins")
    text = f"of two equal logits, kept under >: {strict:.0%}; under >= (algorithm 1): {ties:.0%}"
    return finding(strict == ties, text, found["twins kept, larger wins"])


def _shift(found: Measured) -> Finding:
    held = found.value("softmax") < EXACT and found.value("shift, centred") < EXACT < found.value("shift")
    text = (
        f"largest change after one function is added to all logits: softmax {plain(found.value('softmax'))}, CGI "
        f"{plain(found.value('shift'))}, centred competition {plain(found.value('shift, centred'))}"
    )
    return finding(held, text, found["shift, centred"])


EXPERIMENTS = (Experiment("cgi-definitions", definitions, minutes=(0.1, 0.1)),)

CLAIMS = (
    Claim(
        "S0-Def-GxI",
        "Gradient x input is the gradient of the logit times the input, element by element.",
        "section 2.1, item 1",
        f"Beside central differences: {RANDOM}.",
        _equal("definition", "largest difference"),
        "cgi-definitions",
    ),
    Claim(
        "S0-Lem1",
        "On ReLU networks without biases gradient x input is complete: it sums to the logit.",
        "section 3, lemma 1",
        f"{RANDOM}, with and without biases.",
        _lemma,
        "cgi-definitions",
        published="exact",
    ),
    Claim(
        "S0-Equiv",
        "Without biases and with a zero baseline epsilon-LRP and DeepLIFT (Rescale) equal gradient x input.",
        "section 2.1, relationships between different methods",
        f"{RANDOM}; epsilon 1e-12.",
        _equivalent,
        "cgi-definitions",
        published="equivalent",
    ),
    Claim(
        "S0-Alg1",
        "CGI keeps a positive score that no other logit exceeds, a negative one that no other goes below, else 0.",
        "section 3.2, algorithm 1",
        f"Beside the printed loop over scalars, with gradients by central differences: {RANDOM}.",
        _equal("algorithm 1", "largest difference"),
        "cgi-definitions",
    ),
    Claim(
        "S0-Alg2",
        "CLRP is the same contest between the LRP scores of all logits.",
        "appendix, algorithm 2",
        "Beside the printed loop over scores of an epsilon-LRP written out layer by layer, from the logit itself: "
        f"{RANDOM}.",
        _second_algorithm,
        "cgi-definitions",
        why="The paper names no rule of LRP and no start value; ours starts at the logit, so that scores sum to it.",
    ),
    Claim(
        "S0-Gen",
        "Competition applies to any saliency map that satisfies completeness.",
        "sections 1 and 3",
        "Integrated gradients, DeepLIFT, signed FullGrad (biased convolutions) and LRP (no biases): each sums to its logit "
        "(to the change from a zero baseline), and the contest over it is the printed loop.",
        _any_map,
        "cgi-definitions",
    ),
    Claim(
        "S0-Slip-strict",
        "A score must be higher than the scores of every other label (section 3); algorithm 1 says the same.",
        "section 3 against section 3.2 and algorithm 1",
        "Networks whose only two logits are equal: the share of pixels kept under > and under >=.",
        _strict,
        "cgi-definitions",
        why="The text's strict rule blanks every map when two logits tie; algorithm 1 (>=) is what we follow.",
        error=True,
    ),
    Claim(
        "S0-Ext",
        "Combining all logits at its best is open: CGI depends on what softmax does not see, centred competition does not.",
        "section 5, open question",
        f"The same random linear function added to all logits: {RANDOM}. Held: CGI changes, centred competition does not.",
        _shift,
        "cgi-definitions",
        published="an open question",
        why="Not a claim of the paper: compete(center=True) is our answer; its quality stands beside S0-Fig3-CIFAR.",
    ),
    Claim(
        "S0-Ext-checks",
        "Less disruptive sanity checks, which do not randomise the network so much, are an open problem.",
        "section 5, open question",
        "",
        published="an open question",
        missing="Nothing to measure; heatproof offers gentler checks: heatproof audit --check graded,biases,random_logit.",
    ),
)

PICTURES: tuple[Picture, ...] = ()
