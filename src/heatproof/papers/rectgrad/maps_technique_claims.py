"""Claims on techniques and looks of RectGrad: appendices B.4, C and F.1, figures 1 and 17, footnote 3."""

from __future__ import annotations

from ..judge import above, below, deciding, each_above, finding, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .maps import BASELINES, OURS
from .maps_claims import ON_SCENES, OUTSIDE, PHOTOS, SURROGATE, on_both
from .maps_figures import modified

MORE = 0.05
"""Of the sum of |map|: less than that more on the background is no highlighting of it."""


def _mod(found: Measured) -> Finding:
    gap, worse = found["mod gap"], found["mod worse"]
    shares = ", ".join(f"{name} {said(found[f'plain/{name}/outside'])}" for name in ("RectGrad", "RectGradMod"))
    told = f"share outside: {shares}; RectGradMod has more by {said(gap)}, in {worse.value:.0%} of the images"
    return finding(above(gap, MORE), told, gap)


def _mod_against(found: Measured) -> Finding:
    gap = found["mod against gap"]
    shares = ", ".join(f"{name} {said(found[f'against/{name}'])}" for name in ("RectGrad", "RectGradMod"))
    return finding(above(gap, 0), f"share of negative values: {shares}", gap)


def _smoother(found: Measured) -> Finding:
    gap = found["smoother"]
    told = ", ".join(f"{name} {said(found[f'roughness/{name}'])}" for name in OURS)
    return finding(above(gap, 0), f"total variation / sum: {told}; less by {said(gap)}", gap)


def _border(found: Measured) -> Finding:
    gap = found["border gap"]
    without, trick = found["border/no padding trick"], found["border/RectGrad"]
    told = f"share at the border {said(without)} without the trick, {said(trick)} with it"
    return finding(above(gap, 0), f"{told}, by chance {found.value('border/chance'):.2f}", gap)


def _sparser(found: Measured) -> Finding:
    times = {name: found[f"nonzero/{name}/times"] for name in BASELINES}
    most = max(times, key=lambda name: times[name].value)
    shares = ", ".join(f"{name} {said(found[f'nonzero/{name}'])}" for name in ("RectGrad", most))
    parts = ((answer, ratio) for ratio in times.values() for answer in (above(ratio, 1), below(ratio, SLIGHTLY)))
    held, number = deciding(parts)
    return finding(held, f"share of pixels that are not zero: {shares} (sparsest); {said(times[most])} times", number)


def _look(found: Measured) -> Finding:
    alike = {name: found[f"look/{name}"] for name in ("Saliency Map", "RectGrad")}
    told = ", ".join(f"{name} {said(value, 3)}" for name, value in alike.items())
    blank = found.value("blank/RectGrad")
    held, number = each_above(alike.values(), 0.95)
    return finding(held, f"correlation {told}; maps left blank {blank:.0%}", number)


EXPERIMENTS: tuple[Experiment, ...] = ()
SLIGHTLY = 2.0
PARTS = "Boxes cannot tell discriminating parts of an object from others; what differs by sign is S3-B4-against."
FAR = (
    "A unit of the first layer that passes marks all pixels of its receptive field, a threshold on maps single pixels."
)

CLAIMS = (
    Claim(
        "S3-Fig1/F.1",
        "heatproof's pictures of maps look like the paper's, summed over colours and capped at the 0.5th and 99.5th "
        "percentiles.",
        "appendix F.1, figure 1",
        PHOTOS + "Correlation of the paper's picture with the one heatproof draws (capped at the 99.5th percentile of "
        "magnitudes, zero is white); over 0.95 counts as alike.",
        _look,
        "rectgrad-photos",
        published="the definition",
        why="The paper's is a definition; what is compared is the drawing.",
    ),
    *on_both(
        "S3-B4/Fig17",
        "The modified rule highlights the background where RectGrad highlights the object.",
        "appendix B.4, figure 17",
        OUTSIDE + ", RectGradMod's less RectGrad's; less than 0.05 more counts as none.",
        _mod,
        "often fails",
        why=f"{SURROGATE} {PARTS}",
        scenes_why=f"{ON_SCENES} {PARTS}",
    ),
    *on_both(
        "S3-B4-against",
        "The modified rule passes the gradient through units that speak against the class, more than RectGrad.",
        "appendix B.3 and B.4",
        "Share of the negative values in the sum of |map|, RectGradMod's less RectGrad's.",
        _mod_against,
        "may be propagated through them",
    ),
    *on_both(
        "S3-C1-border",
        "The padding trick keeps RectGrad off the border of the image.",
        "appendix C.1",
        "Share of |map| in the outermost twelfth of the image on each side.",
        _border,
        "solves it",
        why=f"{SURROGATE} SqueezeNet's first convolution does not pad, which leaves the trick less to keep off.",
    ),
    *on_both(
        "S3-C2-smooth",
        "Maps with PRR are smoother.",
        "appendix C.2",
        "Total variation over the sum of |map|, RectGrad's less that with PRR.",
        _smoother,
        "smoother",
    ),
    *on_both(
        "S3-Note3",
        "Baselines thresholded at q = 98 are slightly sparser than RectGrad at q = 98.",
        "footnote 3",
        "Share of pixels that are not zero, RectGrad's over that of each thresholded baseline; slightly: 1 to 2 times.",
        _sparser,
        "slightly sparser",
        why=f"{SURROGATE} {FAR}",
        scenes_why=f"{ON_SCENES} {FAR}",
    ),
)

PICTURES = (
    Picture("RectGrad and the modified rule", "figure 17", "rectgrad-photos", modified, ("S3-B4/Fig17",), photos=True),
)  # fmt: skip
