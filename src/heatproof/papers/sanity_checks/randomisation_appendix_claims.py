"""Rows of the appendices on the networks of MNIST and Fashion-MNIST (figures 26 to 35; older appendix, 9, 22 to 28)."""

from __future__ import annotations

from math import isfinite

from ..judge import above, below, every, finding, plain, said
from ..types import Claim, Experiment, Finding, Measured, Number, Picture
from .randomisation import PRODUCTS
from .randomisation_audit import ABSOLUTE, SIGNED
from .randomisation_judges import NAMES, SIMILAR, alike, all_of, only_as_random, positive, sensitive_from_half, similar
from .randomisation_networks_claims import CNN, FASHION, FASHION_MLP, MLP, ON, claim_on
from .randomisation_products import at_floor, near_zero

PICTURE_ONLY = "The paper shows pictures alone: the limits are ours, and 10 images leave intervals about them."


def vargrad_single(found: Measured) -> Finding:
    """VarGrad's maps are under `SIMILAR` with any one layer new."""
    at = [found[f"independent/vargrad/{ABSOLUTE}/{p}"] for p in found.listed("places/independent")]
    most = max(at, key=lambda n: n.value if isfinite(n.value) else 9)
    return finding(every(below(n, SIMILAR) for n in at), f"VarGrad at most {said(most)} of absolute Spearman", most)


def from_the_bottom(found: Measured) -> Finding:
    """Guided backprop: under `SIMILAR` with the bottom layer alone new, and lower than with the top layer alone new."""
    first, ends = found[f"reverse/guided_backprop/{ABSOLUTE}/top"], found["ends/guided_backprop"]
    text = f"guided backprop {said(first)} with the bottom layer new, {said(ends)} less than with the top layer new"
    return finding(every([below(first, SIMILAR), above(ends, 0.0)]), text, first)


def outline_stays(found: Measured) -> Finding:
    """All-new weights: the same pixels light up, and the signs of maps correlate within `NONE` of 0."""
    kept = {m: (found[f"outline/{m}"].value, found[f"cascading/{m}/{SIGNED}/last"]) for m in PRODUCTS}
    held = every(a for o, s in kept.values() for a in (above(Number(o), 0.9), near_zero(s)))
    text = "; ".join(
        f"{NAMES[m]}: overlap {plain(o)}, signed Spearman {said(s)}, {plain(found.value(f'sign/{m}'))} of the signs kept"
        for m, (o, s) in kept.items()
    )
    return finding(held, text, kept["gradient_x_input"][1])


def _appendix() -> tuple[Claim, ...]:
    """Rows of the older appendix, and what the zeros of the input do."""
    return (
        claim_on("S1-Fig4-zeros", "The input dominates the product: its absolute correlation is that of any weights.",
               "sections 3.1 and 5.2", CNN, "Every stage of both products within .02 of its floor, random networks' score.",
               at_floor, ".99 at every stage"),
        claim_on("S4-Fig9", "Under random weights guided backprop scores over the gradient: only as random networks do.",
               "older appendix, figure 9", CNN, "All weights new: difference over 0, excess over the floor around 0.",
               only_as_random, ".44 against .08"),
        *(claim
          for id, figures, experiment in (("S4-Fig22-23", "22, 23", CNN), ("S4-Fig24-25", "24, 25", MLP))
          for claim in _vargrad(id, f"older appendix, figures {figures}", experiment)),
    )  # fmt: skip


def _vargrad(id: str, source: str, experiment: str) -> tuple[Claim, Claim]:
    on = f"on the {ON[experiment]}"
    return (
        claim_on(id, f"VarGrad changes as layer after layer is drawn again {on}.", source, experiment,
                 "As the audit judges: floor and excess of absolute Spearman under .5 from half-way on.",
                 sensitive_from_half("vargrad"), "picture only", PICTURE_ONLY),
        claim_on(f"{id}-single", f"VarGrad changes with any one layer {on}.", source, experiment,
                 "Absolute Spearman under .7 with each layer alone new.", vargrad_single, "picture only", PICTURE_ONLY),
    )  # fmt: skip


def _figure_28() -> tuple[Claim, ...]:
    """Figure 28 of the older appendix, and guided backprop on the MLP."""
    return (
        claim_on("S4-Fig28-A", "From the bottom up, guided backprop changes with the first layer already.",
               "older appendix, figure 28-A", CNN, "Under .7 with the bottom layer new, and less than with the top one.",
               from_the_bottom, "curves only"),
        claim_on("S4-Fig28-B", "DeepLIFT and epsilon-LRP behave as gradient x input, in absolute Spearman.",
               "older appendix, figure 28-B", CNN, "Within .05 of gradient x input at every stage.",
               alike(("deeplift", "lrp"), "gradient_x_input", ABSOLUTE), "curves only"),
        claim_on("S4-Fig28-C", "DeepLIFT and epsilon-LRP behave as gradient x input, in signed Spearman.",
               "older appendix, figure 28-C", CNN, "Within .05 of gradient x input at every stage.",
               alike(("deeplift", "lrp"), "gradient_x_input", SIGNED), "curves only",
               "10 images and five networks leave intervals wider than .05 for DeepLIFT."),
        claim_on("S1-Fig4-gbp-mlp", "Guided backprop falls only when lower layers are hit: MLP on MNIST.", "figure 4", MLP,
               "Over .7 with the upper half new; the lower half takes away more than the upper half.",
               all_of((positive("fall/guided_backprop", "fall in the lower half less fall in the upper half"),
                       similar("guided_backprop", "half"))), ".90 .82 .44 .04"),
    )  # fmt: skip


def _galleries() -> tuple[Claim, ...]:
    rows = (
        (FASHION, "S1-Fig26-29", "figures 26 to 29"), (CNN, "S1-Fig30-33", "figures 30 to 33"),
        (MLP, "S1-Fig34", "figure 34"), (FASHION_MLP, "S1-Fig35", "figure 35"),
    )  # fmt: skip
    return tuple(
        claim_on(id, f"In gray the input's outline outlives all weights, in colour its signs do not: {ON[experiment]}.",
               source, experiment, "All weights new: nonzero pixels overlap by .9 and signs are counted on 3 images, one "
               "random network; signed Spearman within .2 of 0.", outline_stays, "pictures only",
               "The outline is that of the image for any weights: x times anything is 0 where x is.")
        for experiment, id, source in rows
    )  # fmt: skip


EXPERIMENTS: tuple[Experiment, ...] = ()
CLAIMS = (*_appendix(), *_figure_28(), *_galleries())
PICTURES: tuple[Picture, ...] = ()
