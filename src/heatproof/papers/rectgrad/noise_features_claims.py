"""Claims of section 3.2 and figure 3."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...plots._style import CURVE, INK, MUTED, PAPER, ZONE
from ...plots.curves import dress
from ...plots.plates import bars
from ..judge import each_above, finding, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .noise_features import SIDES, STEPS, feature_maps


def _more(name: str) -> Callable[[Measured], Finding]:
    """Whether the object is worth more than the background in every layer."""

    def judge(found: Measured) -> Finding:
        layers = found.listed("layers")
        more = {layer: found[f"{name}/{layer}"] for layer in layers}
        text = (
            f"lost for the object less lost for the background: {', '.join(f'{k} {said(v)}' for k, v in more.items())}; "
            f"the digit covers {found.value('object/area'):.0%} of a scene"
        )
        held, number = each_above(more.values(), 0.0)
        return finding(held, text, number)

    return judge


def _curves(found: Measured) -> Figure:
    """One panel for each convolution, as in the paper."""
    layers = found.listed("layers")
    figure = Figure(figsize=(7.2, 2.4), dpi=150, facecolor=PAPER, layout="constrained")
    panels = figure.subplots(1, len(layers), sharey=True, squeeze=False)[0]
    for axes, layer in zip(panels, layers, strict=True):
        _panel(axes, layer, found)
    panels[0].set_ylabel("logit of the class\nless the largest other", fontsize=7.5, color=MUTED)
    panels[0].legend(fontsize=6.5, frameon=False, loc="lower left")
    figure.supxlabel("share of the side's units switched off", fontsize=7.5, color=MUTED)
    return figure


def _panel(axes: Axes, layer: str, found: Measured) -> None:
    levels = [step / STEPS for step in range(STEPS + 1)]
    for side, colour in zip(SIDES, (CURVE, ZONE), strict=True):
        numbers = [found[f"{side}/margin:{layer}/{level:g}"] for level in levels]
        axes.fill_between(
            levels, [n.lower for n in numbers], [n.upper for n in numbers], color=colour, alpha=0.14, lw=0
        )
        axes.plot(levels, [n.value for n in numbers], color=colour, lw=1.5, label=side)
    dress(axes)
    axes.set_title(layer, fontsize=7.5, color=INK)


def _equal(found: Measured) -> Figure:
    sides = {
        side: {layer: tuple(found[f"{side}/lost_equal:{layer}"]) for layer in found.listed("layers")} for side in SIDES
    }
    return bars(sides, x_label="margin lost for as many units of both sides, logit units")


EXPERIMENTS = (
    Experiment(
        "rectgrad-feature-occlusion", feature_maps, (0.3, 1.0), networks=("scenes",),
        reduced="60 of 100 images, 10 of 50 random orders",
    ),
)  # fmt: skip

SET = "SmallCNN, correctly classified scenes of a digit on a photo (quick 24, full 60), units switched off in random order"
INSTEAD = (
    "SmallCNN and scenes of a digit on a photo stand for CIFAR-10 images with the authors' masks, which are not here"
)
SAYS = "Switching off units on the object costs more of the margin than units on the background, in every convolution"

CLAIMS = (
    Claim(
        "S3-Fig3", f"{SAYS}.", "section 3.2, figure 3",
        f"{SET}: loss with all units of a side off, as at the right end of the paper's curves.",
        _more("more"), "rectgrad-feature-occlusion", "conv1, background: 15.5 to 9.6 (read off)",
        f"{INSTEAD}. The side that covers more has more units to switch off; for as many of both: S3-Fig3-equal.",
    ),
    Claim(
        "S3-Fig3-masks", f"{SAYS}: the paper's CIFAR-10 images.", "section 3.2, figure 3", "As S3-Fig3 and S3-Fig3-equal.",
        missing="the authors' images with masks are not here; with them, as photos and PHOTO.mask.png beside them: "
        "`heatproof bench feature-occlusion --model heatproof.models.nets.rectgrad_cnn:RectGradCNN --weights "
        "cifar.safetensors --data MASKED --masks beside --mean 0.5 --std 0.5`.",
    ),
    Claim(
        "S3-Fig3-equal", f"{SAYS}, for as many units of both.", "section 3.2, figure 3",
        f"{SET}: loss for as many units of both sides as the smaller of the two has.",
        _more("more equal"), "rectgrad-feature-occlusion", why=f"{INSTEAD}.",
    ),
)  # fmt: skip

PICTURES = (
    Picture(
        "What units on the object and on the background are worth", "figure 3", "rectgrad-feature-occlusion", _curves,
        ("S3-Fig3",),
    ),
    Picture(
        "What as many units on the object and on the background are worth", "", "rectgrad-feature-occlusion", _equal,
        ("S3-Fig3-equal",),
    ),
)  # fmt: skip
