"""Claims of section 5.2 on the coherence of maps: figures 5a and 15."""

from __future__ import annotations

from collections.abc import Callable

from ..judge import above, below, every, finding, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .maps import BASELINES, OURS, SINGLE, photo_maps, scene_maps
from .maps_figures import coherence, same_class


def _less_outside(kind: str) -> Callable[[Measured], Finding]:
    """RectGrad has a smaller share outside the object than every baseline, image by image."""

    def judge(found: Measured) -> Finding:
        gaps = {name: found[f"{kind}/{name}/outside gap"] for name in BASELINES}
        best = min(gaps, key=lambda name: gaps[name].value)
        own, area = found["plain/RectGrad/outside"], found.value("area outside")
        other = said(found[f"{kind}/{best}/outside"])
        told = f"RectGrad {said(own)}, {best} (nearest) {other}, by chance {area:.2f}; less by {said(gaps[best])}"
        told += f"; RectGrad thresholded too {said(found['cut/RectGrad/outside'])}" if kind == "cut" else ""
        return finding(every(above(gap, 0) for gap in gaps.values()), told, gaps[best])

    return judge


def _nearly_none(found: Measured) -> Finding:
    share = {name: found[f"plain/{name}/outside"] for name in OURS}
    told = "; ".join(f"{name} {said(value)}" for name, value in share.items())
    told += f"; RectGrad more than 2 pixels outside {said(found['near/RectGrad/outside'])}"
    return finding(every(below(value, 0.1) for value in share.values()), f"share outside: {told}", share["RectGrad"])


def _alike(kind: str) -> Callable[[Measured], Finding]:
    def judge(found: Measured) -> Finding:
        gaps = [found[f"{kind}/{name}/alike gap"] for name in SINGLE]
        told = ", ".join(f"{name} {said(found[f'{kind}/{name}/alike'])}" for name in ("RectGrad", *SINGLE))
        return finding(every(above(gap, 0) for gap in gaps), told, min(gaps))

    return judge


def _others_alike(found: Measured) -> Finding:
    gap = found["plain/coherent over single"]
    return finding(above(gap, 0), f"more alike by {said(gap)}", gap)


REDUCED = (
    "17 photos and SqueezeNet in place of ImageNet and Inception v4; 15 samples for SmoothGrad and Integrated Gradients"
)
EXPERIMENTS = (
    Experiment("rectgrad-photos", photo_maps, minutes=(0.75, 1.2), data=("photos", "squeezenet1_0_dc"), reduced=REDUCED),
    Experiment("rectgrad-scenes", scene_maps, minutes=(0.1, 0.25), networks=("scenes",),
               reduced="scenes with digits in place of ImageNet classes"),
)  # fmt: skip

PHOTOS = "SqueezeNet, photos whose box covers less than a quarter (quick: 12, full: 17), q = 98, padding trick. "
SCENES = "Small CNN on photos with a pasted digit (quick: 60, full: 120), q = 98, padding trick. "
OUTSIDE = "Share of |map| outside the object's box"
LIKENESS = "Correlation of |map| in the digit's box with maps of the same digit, less that with maps of other digits"
SURROGATE = "SqueezeNet and photos with boxes stand for Inception v4 and the eye."


def on_both(id: str, says: str, source: str, how: str, judge: Callable[[Measured], Finding], published: str,
             why: str = "", scenes_why: str = "") -> tuple[Claim, Claim]:  # fmt: skip
    """The same claim on photos and on scenes."""
    return (
        Claim(id, says, source, PHOTOS + how, judge, "rectgrad-photos", published=published, why=why or SURROGATE),
        Claim(
            f"{id}-scenes", says, source, SCENES + how, judge, "rectgrad-scenes", published=published, why=scenes_why
        ),
    )


CLAIMS = (
    *on_both(
        "S3-Fig5a",
        "RectGrad's maps lie on the object more than those of all baselines.",
        "section 5.2, figure 5a",
        OUTSIDE + ", each baseline's less RectGrad's, without final thresholds.",
        _less_outside("plain"),
        "clearly",
    ),
    *on_both(
        "S3-Fig5a-threshold",
        "Thresholding baselines at their 95th percentile does not make up for it.",
        "section 5.2, figure 5a",
        OUTSIDE + ", each thresholded baseline's less RectGrad's, which has no final threshold.",
        _less_outside("cut"),
        "not enough",
        scenes_why="RectGrad has no final threshold here, as in the paper; with the same one it has less outside than all.",
    ),
    *on_both(
        "S3-Fig5a-noise",
        "Background noise is nearly nonexistent in RectGrad's maps.",
        "section 5.2, figure 5a",
        OUTSIDE + ", with and without PRR: under a tenth counts as nearly none.",
        _nearly_none,
        "nearly none",
        scenes_why="The boxes are as tight as the strokes: more than half of what is outside lies within 2 pixels of them.",
    ),
    Claim(
        "S3-Fig15",
        "RectGrad emphasises similar parts for images of a class; Saliency Map, Gradient * Input and Epsilon-LRP do not.",
        "section 5.2, figure 15",
        SCENES + LIKENESS + "; RectGrad's must be higher than each of the three.",
        _alike("plain"),
        "rectgrad-scenes",
        published="consistently",
    ),
    Claim(
        "S3-Fig15-threshold",
        "This holds for baselines with the 95-percentile threshold, too.",
        "section 5.2, figure 15",
        SCENES + LIKENESS + ", baselines thresholded.",
        _alike("cut"),
        "rectgrad-scenes",
        published="also holds",
    ),
    Claim(
        "S3-Fig15-others",
        "SmoothGrad, Guided Backpropagation, Integrated Gradients and DeepLIFT are coherent within a class.",
        "section 5.2, figure 15",
        SCENES + LIKENESS + "; mean of the four less mean of the three.",
        _others_alike,
        "rectgrad-scenes",
        published="generally coherent",
    ),
)

PICTURES = (
    Picture("Coherence across classes, without and with final thresholding", "figure 5a", "rectgrad-photos", coherence,
            ("S3-Fig5a", "S3-Fig5a-threshold", "S3-Fig5a-noise"), photos=True),
    Picture("Coherence within a class", "figure 15", "rectgrad-scenes", same_class, ("S3-Fig15", "S3-Fig15-others"),
            photos=True),
)  # fmt: skip
