"""Claims about another distribution of new weights, and about learned masks."""

from __future__ import annotations

from functools import partial
from math import isfinite

from ..judge import finding, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .randomisation_audit import ABSOLUTE, SIGNED
from .randomisation_judges import METRIC, NAMES, falls_by, sensitive
from .randomisation_perturbation import perturbation
from .randomisation_pictures import strip
from .randomisation_tables import same
from .randomisation_uniform import METHODS, uniform

UNIFORM, MASKS = "sanity-weights-uniform", "sanity-weights-perturbation"


def identical(found: Measured) -> Finding:
    """Uniform less truncated normal: every difference within `SAME`."""
    gaps = {
        (method, metric, stage): found[f"difference/{method}/{metric}/{i + 1}"]
        for method in METHODS for metric in (ABSOLUTE, SIGNED) for i, stage in enumerate(found.listed("stages"))
    }  # fmt: skip
    worst = max(gaps, key=lambda k: abs(gaps[k].value) if isfinite(gaps[k].value) else 9)
    method, metric, stage = worst
    held, counts = same((n, 0.0) for n in gaps.values())
    text = f"largest difference: {METRIC[metric]} of {NAMES[method]} down to {stage}, {said(gaps[worst])}"
    return finding(held, f"{counts}; {text}", gaps[worst])


PROTOCOL = (
    "Meaningful perturbation, CNN on MNIST, layers drawn again from the output down, five networks for each stage. "
)
EXPERIMENTS = (
    Experiment(UNIFORM, uniform, (0.3, 0.6), ("mnist-cnn",), ("MNIST",), "20 images, 5 integration steps"),
    Experiment(MASKS, perturbation, (0.5, 1.3), ("mnist-cnn",), ("MNIST",), "6 images, 120 of 300 steps"),
)
WHY = "Learned on the MNIST CNN in place of AlexNet; the paper shows it, and says nothing in its text."
CLAIMS = (
    Claim("S1-B-unif", "New weights from a uniform distribution give results identical to a truncated normal's.",
          "appendix B", "CNN on MNIST, cascades with standard deviation .01 under each, five networks each: every "
          "difference of signed and absolute Spearman within .1, by the whole interval.", identical, UNIFORM, "identical",
          "Maps of any two draws of weights differ, those of single layers as GradCAM's most; five networks of each leave "
          "intervals wider than .1."),
    Claim("S1-Fig36", "Masks of the perturbation method change as the weights are randomised.", "figure 36",
          PROTOCOL + "Change: Spearman under .7 with the upper half new.",
          falls_by("meaningful_perturbation", SIGNED), MASKS, "picture only", WHY),
    Claim("S4-Fig28-D", "Masks of the perturbation method change with the top layer already.",
          "older appendix, figure 28-D",
          PROTOCOL + "Change: Spearman under .7 with the top layer new.",
          falls_by("meaningful_perturbation", SIGNED, "top"), MASKS, "picture only", WHY),
    Claim("S4-Fig28-E", "Spearman of the perturbation method's masks stays low from the top layer to the bottom.",
          "older appendix, figure 28-E",
          PROTOCOL + "Low: Spearman under .7 at every stage.",
          sensitive("meaningful_perturbation", SIGNED), MASKS, "curve only", WHY),
)  # fmt: skip
PICTURES = (
    Picture("Masks of the perturbation method, layer after layer drawn again", "figure 36", MASKS,
            partial(strip, check="cascading", view="absolute", shown=("meaningful_perturbation",)),
            ("S1-Fig36", "S4-Fig28-D", "S4-Fig28-E"), photos=True),
)  # fmt: skip
