"""Cascading randomisation for masks that are learned (figure 36; figure 28-D, E of the older appendix)."""

from __future__ import annotations

from ..lab import Lab
from ..types import Measured
from .randomisation_audit import code_audit, gathered, named, strips


def perturbation(lab: Lab) -> Measured:
    """Meaningful perturbation on the MNIST network; every mask is an optimisation of its own."""
    images, _ = lab.labelled("MNIST", "test", lab.pick(4, 6, 50))
    steps = lab.pick(60, 120, 300)
    methods = named(lab, {"meaningful_perturbation": f"meaningful_perturbation(steps={steps})"})
    results = code_audit(lab, lab.network("mnist-cnn"), images, methods, ("cascading",))
    found = gathered(results)
    return Measured(found.numbers, {"photo": images[0], **strips(results)}, found.words)
