"""New weights from a uniform distribution in place of a truncated normal one (appendix B: "identical results")."""

from __future__ import annotations

from itertools import product

from ...experiment.cells import Cells
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number
from .randomisation_audit import ABSOLUTE, SIGNED, code_audit, gathered, named

METHODS = {
    "gradient": "gradient",
    "guided_backprop": "guided_backprop",
    "gradcam": "gradcam",
    "guided_gradcam": "guided_gradcam",
    "integrated_gradients": "integrated_gradients(steps=5)",
    "gradient_x_input": "gradient_x_input",
}
INITS = ("trunc_normal", "uniform")
"""Both with the standard deviation of the text, .01, before truncation."""


def uniform(lab: Lab) -> Measured:
    """A cascade under each distribution, and their differences at every stage, on the same images."""
    images, _ = lab.labelled("MNIST", "test", lab.pick(8, 20, 200))
    model, methods = lab.network("mnist-cnn"), named(lab, METHODS)
    audits = {i: code_audit(lab, model, images, methods, ("cascading",), init=i, nulls=2, std=0.01) for i in INITS}
    normal, flat = (Cells(audits[i].table, audits[i].config) for i in INITS)
    numbers: dict[str, Number] = {}
    for i, results in audits.items():
        numbers |= {f"{i}/{name}": n for name, n in gathered(results).numbers.items()}
    for method, metric, (stage, _, _) in product(METHODS, (ABSOLUTE, SIGNED), normal.plan("cascading")):
        a, b = (c.of("cascading", method, metric, stage) for c in (flat, normal))  # networks drawn apart, same images
        numbers[f"difference/{method}/{metric}/{stage}"] = over(a - b)
    return Measured(numbers, words={"stages": "\n".join(name for _, name, _ in normal.plan("cascading"))})
