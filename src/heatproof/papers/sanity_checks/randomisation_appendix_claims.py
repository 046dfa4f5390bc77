"""Rows of the appendices on the networks of MNIST and Fashion-MNIST (figures 26 to 35; older appendix, 9, 22 to 28)."""

from __future__ import annotations

from math import isfinite

from ..judge import below, every, finding, plain, said, within
from ..types import Claim, Experiment, Finding, Measured, Picture
from .randomisation_audit import ABSOLUTE, SIGNED
from .randomisation_judges import NAMES, PRODUCTS, SIMILAR, alike, all_of, at_floor, over_at, positive, similar
from .randomisation_networks_claims import CNN, FASHION, FASHION_MLP, MLP, ON, claim_on


def vargrad_sensitive(found: Measured) -> Finding:
    """VarGrad's maps are under `SIMILAR` at every stage of both orders."""
    at = {(c, p): found[f"{c}/vargrad/{ABSOLUTE}/{p}"] for c in ("cascading", "independent")
          for p in found.listed(f"places/{c}")}  # fmt: skip
    most = max(at.values(), key=lambda n: n.value if isfinite(n.value) else 9)
    held = every(below(n, SIMILAR) for n in at.values())
    return finding(held, f"VarGrad at most {said(most)} of absolute Spearman", most)


def outline_stays(found: Measured) -> Finding:
    """All-new weights: the same pixels light up, with signs that agree on half of them (.35 to .65)."""
    kept = {m: (found[f"outline/{m}"], found[f"sign/{m}"]) for m in PRODUCTS}
    held = every(a for o, s in kept.values() for a in (_at_least(o, 0.9), within(s, 0.5, 0.15)))
    text = "; ".join(f"{NAMES[m]}: overlap {plain(o.value)}, signs kept {said(s)}" for m, (o, s) in kept.items())
    return finding(held, text, kept["gradient_x_input"][0])


def _at_least(number: object, limit: float) -> bool | None:
    value = number[0] if isinstance(number, tuple) else float("nan")
    return None if not isfinite(value) else value >= limit


def _appendix() -> tuple[Claim, ...]:
    """Rows of the older appendix, and what the zeros of the input do."""
    return (
        claim_on("S1-Fig4-zeros", "The input dominates the product: its absolute correlation is that of any weights.",
               "sections 3.1 and 5.2", CNN, "Every stage of both products within .02 of its floor, random networks' score.",
               at_floor, ".99 at every stage"),
        claim_on("S4-Fig9", "Under random weights guided backprop still resembles its original more than the gradient.",
               "older appendix, figure 9", CNN, "Difference of absolute Spearman with all weights new, over 0.",
               over_at("guided_backprop", "gradient", ABSOLUTE, ("last",)), ".44 against .08"),
        claim_on("S4-Fig22-23", "VarGrad changes with the weights, in succession and one layer at a time.",
               "older appendix, figures 22, 23", CNN, "Absolute Spearman under .7 at every stage of both.",
               vargrad_sensitive, "picture only"),
        claim_on("S4-Fig24-25", "VarGrad changes with the weights, in succession and one layer at a time: MLP.",
               "older appendix, figures 24, 25", MLP, "Absolute Spearman under .7 at every stage of both.",
               vargrad_sensitive, "picture only"),
    )  # fmt: skip


def _figure_28() -> tuple[Claim, ...]:
    """Figure 28 of the older appendix, and guided backprop on the MLP."""
    return (
        claim_on("S4-Fig28-A", "From the bottom up, guided backprop changes with the first layer already.",
               "older appendix, figure 28-A", CNN, "Absolute Spearman with only the top layer new less the bottom one.",
               positive("ends/guided_backprop", "guided backprop, top layer new less bottom layer new:"), "curves only"),
        claim_on("S4-Fig28-B", "DeepLIFT and epsilon-LRP behave as gradient x input, in absolute Spearman.",
               "older appendix, figure 28-B", CNN, "Within .05 of gradient x input at every stage.",
               alike(("deeplift", "lrp"), "gradient_x_input", ABSOLUTE), "curves only"),
        claim_on("S4-Fig28-C", "DeepLIFT and epsilon-LRP behave as gradient x input, in signed Spearman.",
               "older appendix, figure 28-C", CNN, "Within .05 of gradient x input at every stage.",
               alike(("deeplift", "lrp"), "gradient_x_input", SIGNED), "curves only"),
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
               source, experiment, "Both products of 3 images, all weights new: nonzero pixels overlap by .9, .35 to .65 "
               "of their signs stay.", outline_stays, "pictures only")
        for experiment, id, source in rows
    )  # fmt: skip


EXPERIMENTS: tuple[Experiment, ...] = ()
CLAIMS = (*_appendix(), *_figure_28(), *_galleries())
PICTURES: tuple[Picture, ...] = ()
