"""Claims on techniques and looks of RectGrad: appendices B.4, C and F.1, figures 1 and 17, footnote 3."""

from __future__ import annotations

from ..judge import above, every, finding, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .maps import OURS
from .maps_claims import OUTSIDE, PHOTOS, on_both
from .maps_figures import modified


def _mod(found: Measured) -> Finding:
    gap, worse = found["mod gap"], found["mod worse"]
    shares = ", ".join(f"{name} {said(found[f'plain/{name}/outside'])}" for name in ("RectGrad", "RectGradMod"))
    told = f"share outside: {shares}; RectGradMod has more by {said(gap)}, in {worse.value:.0%} of the images"
    return finding(above(gap, 0), told, gap)


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
    return finding(above(gap, 0), f"share at the border {said(without)} without the trick, {said(trick)} with it", gap)


def _sparser(found: Measured) -> Finding:
    share = found["nonzero/RectGrad"]
    told = f"share of pixels that are not zero: RectGrad {said(share)}, a baseline 0.02 by construction"
    return finding(above(share, 0.02), told, share)


def _look(found: Measured) -> Finding:
    alike = {name: found[f"look/{name}"] for name in ("Saliency Map", "RectGrad")}
    told = ", ".join(f"{name} {said(value, 3)}" for name, value in alike.items())
    blank = found.value("blank/RectGrad")
    held = every(above(value, 0.95) for value in alike.values())
    return finding(held, f"correlation {told}; maps left blank {blank:.0%}", alike["RectGrad"])


EXPERIMENTS: tuple[Experiment, ...] = ()

CLAIMS = (
    Claim(
        "S3-Fig1/F.1",
        "Maps are summed over colours and capped at the 0.5th and 99.5th percentiles.",
        "appendix F.1, figure 1",
        PHOTOS
        + "Correlation of that picture with the one heatproof draws (capped at the 99.5th percentile of magnitudes, "
        "zero is white).",
        _look,
        "rectgrad-photos",
        published="the definition",
    ),
    *on_both(
        "S3-B4/Fig17",
        "The modified rule highlights the background where RectGrad highlights the object.",
        "appendix B.4, figure 17",
        OUTSIDE + ", RectGradMod's less RectGrad's.",
        _mod,
        "often fails",
        why="SqueezeNet and photos stand for Inception v4; both rules keep to the boxes, and RectGradMod differs by its "
        "sign (S3-B4-against). Boxes cannot tell discriminating parts of an object from others.",
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
        why="SqueezeNet's first convolution does not pad, so that little lies at the border even without the trick.",
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
        "Baselines thresholded at q = 98 are sparser than RectGrad at q = 98.",
        "footnote 3",
        "Share of pixels that are not zero.",
        _sparser,
        "slightly sparser",
        why="Far sparser: a unit of the first layer that passes marks all pixels of its receptive field.",
        scenes_why="Far sparser: a unit of the first layer that passes marks all pixels of its receptive field.",
    ),
)

PICTURES = (
    Picture("RectGrad and the modified rule", "figure 17", "rectgrad-photos", modified, ("S3-B4/Fig17",), photos=True),
)  # fmt: skip
