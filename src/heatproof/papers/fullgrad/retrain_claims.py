"""Claims of section 5.2: remove and retrain."""

from __future__ import annotations

from matplotlib.figure import Figure

from ...plots.plates import Series, curves
from ..judge import above, below, each_above, finding, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .retrain import FULLGRAD, METHODS, MINIMAL, RANDOM, roar

PSI_M = next(iter(MINIMAL))


def _lowest(found: Measured) -> Finding:
    gaps = {name: found[f"{name} - {FULLGRAD}"] for name in METHODS if name != FULLGRAD}
    nearest = min(gaps, key=lambda name: gaps[name].value)
    shown = ", ".join(f"{name} {said(found[f'area/{name}'], 3)}" for name in (*METHODS, RANDOM))
    text = (
        f"area under the accuracy: {shown}; {nearest} less FullGrad {said(gaps[nearest], 3)}; {_beside_random(found)}"
    )
    held, number = each_above(gaps.values(), 0)
    return finding(held, text, number)


def _beside_random(found: Measured) -> str:
    """Which methods are told apart from random removal, by their intervals."""
    gaps = {name: found[f"{name} - {RANDOM}"] for name in METHODS}
    better, worse = ([n for n, gap in gaps.items() if side(gap, 0)] for side in (below, above))
    return f"below random removal: {', '.join(better) or 'none'}; above it: {', '.join(worse) or 'none'}"


def _minimal(found: Measured) -> Finding:
    gap = found[f"{PSI_M} - {FULLGRAD}"]
    areas = f"psi_m {said(found[f'area/{PSI_M}'], 3)}, the paper's psi {said(found[f'area/{FULLGRAD}'], 3)}"
    return finding(above(gap, 0), f"area under the accuracy: {areas}; difference {said(gap, 3)}", gap)


def _curves(found: Measured) -> Figure:
    fractions = [float(f) for f in found.listed("fractions")]
    x = [0.0, *(100 * f for f in fractions)]
    original = found["original"]
    series = {
        name: Series.of(x, [original, *(found[f"accuracy/{name}/{f:g}"] for f in fractions)], name == RANDOM)
        for name in (*METHODS, PSI_M, RANDOM)
    }
    return curves(series, x_label="% of pixels removed, most salient first", y_label="accuracy after retraining")


EXPERIMENTS = (
    Experiment("fullgrad-roar", roar, (None, 30.0), data=("CIFAR10",),
               reduced="VGG-9 at a quarter of its width, 4,000 training images, 6 epochs, 3 fractions"),
)  # fmt: skip
_RUN = (
    "VGG-9 on CIFAR-10 (on a CPU a quarter of its width, 4,000 images, 6 epochs), 10, 50, 90 % of the pixels replaced "
)
_RUN += "by the mean, 3 networks each; differences over the same networks and test images."

CLAIMS = (
    Claim(
        "S2-Fig2b", "Retrained without their most salient pixels, networks are worst for FullGrad.",
        "figure 2b, section 5.2", _RUN, _lowest, "fullgrad-roar", published="FullGrad lowest",
        why="CIFAR-10 in place of CIFAR-100, and on a CPU small networks.",
    ),
    Claim(
        "S2-Fig2b-cifar100",
        "Retrained without their most salient pixels, networks are worst for FullGrad: CIFAR-100, VGG-9.",
        "figure 2b, section 5.2", "Not run.",
        published="FullGrad lowest",
        missing="there is no CIFAR-100 here; as a folder with train/ and test/, one folder a class: heatproof bench roar "
        "--model vgg.py:vgg9 --data CIFAR100 --epochs 60 (vgg9 returns heatproof.models.nets.vgg9.VGG9(100)) --methods "
        "'fullgrad,gradcam,gradient,integrated_gradients,smoothgrad_squared(n=10)'",
    ),
    Claim(
        "S2-6-minimal-roar", "With psi_m (no abs, no rescaling) remove and retrain gets worse.", "section 6", _RUN,
        _minimal, "fullgrad-roar", published="a drop in performance",
        why="CIFAR-10 in place of CIFAR-100, and on a CPU small networks.",
    ),
)  # fmt: skip

PICTURES = (
    Picture("Accuracy after retraining without the most salient pixels", "figure 2b", "fullgrad-roar", _curves,
            ("S2-Fig2b", "S2-6-minimal-roar")),
)  # fmt: skip
