"""The family of FullGrad's post-processing as methods: its paper advises to choose psi by the metric (section 6)."""

from __future__ import annotations

from ..psi import RESCALE, VALUES


def psi_method(values: str, rescale: str) -> str:
    """The text, and so the table row, of FullGrad with one psi.

    Example:
        >>> psi_method("abs", "layer")
        "fullgrad(rescale='layer', values='abs')"
    """
    return f"fullgrad(rescale={rescale!r}, values={values!r})"


PSI_NAMES = {
    psi_method("abs", "layer"): "psi of the official code: abs, rescaled by layer",
    psi_method("abs", "channel"): "psi of equation 2: abs, rescaled by channel",
    psi_method("abs", "none"): "psi_mnist of section 6: abs, not rescaled",
    psi_method("signed", "none"): "psi_m of section 6: signed, not rescaled",
}
"""Members of the family that the paper names, by method."""


def psi_methods() -> list[str]:
    """Every choice of values and rescaling, those of `PSI_NAMES` first."""
    rest = [psi_method(values, rescale) for values in VALUES for rescale in RESCALE]
    return list(dict.fromkeys([*PSI_NAMES, *rest]))
