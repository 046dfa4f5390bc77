"""Smooth MPRT: any randomisation check on denoised maps (Hedström, Weber, Lapuschkin, Höhne 2023)."""

from __future__ import annotations

from dataclasses import replace

from ..combine import Composed, smooth
from ..types import Explain, spec_of
from .subject import Subject

AVERAGES = ("smooth", "smooth_squared", "vargrad")


def smoothed(subject: Subject, n: int = 10, sigma: float = 0.1) -> Subject:
    """The same subject with every method's map averaged over noisy copies of the image, under the same names.

    Noise in a map lowers any similarity, so that a noisy method looks sensitive; averaged maps show what is left of that.

    Source: Hedström et al. 2023, arXiv:2401.06465, "Smooth MPRT": noise of `sigma` times each image's (max - min), mean
    of the signed maps, then the same similarity as before (their preset: absolute Spearman, randomised from the input
    upwards, which is the order "reverse"; low is good). Deviations: the same noise under every network, drawn from (seed,
    place in the data set); all `n` draws are noisy, where Quantus makes the last one clean; no division by the root mean
    square, which no rank sees. Controls (edge map, random map and their products) stay as they are, since they have
    nothing to denoise and must still bracket the table; so does a method that averages over noise already (smoothgrad,
    compete(smooth(gradient))), with its own n and sigma: averaging twice costs n times more and denoises nothing new.

    Args:
        n: draws; sigma: share of each image's range.

    Raises:
        InputError: options that no noise can be drawn with.
    """
    methods = {name: denoised(explain, n, sigma) for name, explain in subject.methods.items()}
    return replace(subject, methods=methods)


def denoised(explain: Explain, n: int, sigma: float) -> Explain:
    """`smooth` of the method, or the method itself where it is a control or averages over noise already."""
    found = smooth(explain, n=n, sigma=sigma)  # checks the options, whatever the method
    return explain if _is_control(explain) or _averages(explain) else found


def _is_control(explain: Explain) -> bool:
    spec = spec_of(explain)
    return spec is not None and (spec.control_noise or not spec.uses_model)


def _averages(explain: Explain) -> bool:
    return isinstance(explain, Composed) and (explain.name in AVERAGES or any(map(_averages, explain.parts)))
