"""Claims of section 5.2 on the coherence of maps: figures 5a and 15."""

from __future__ import annotations

from collections.abc import Callable

from ..judge import each_above, each_below, finding, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .maps import BASELINES, COHERENT, OURS, SINGLE, mobile_maps, photo_maps, scene_maps
from .maps_figures import coherence, same_class


def _less_outside(kind: str) -> Callable[[Measured], Finding]:
    """RectGrad has a smaller share outside the object than every baseline, image by image."""

    def judge(found: Measured) -> Finding:
        gaps = {name: found[key] for name in BASELINES if (key := f"{kind}/{name}/outside gap") in found.numbers}
        best = min(gaps, key=lambda name: gaps[name].lower)
        held, number = each_above(gaps.values(), 0)
        own, area = found["plain/RectGrad/outside"], found.value("area outside")
        other = said(found[f"{kind}/{best}/outside"])
        told = f"RectGrad {said(own)}, {best} (nearest) {other}, by chance {area:.2f}; less by {said(gaps[best])}"
        told += f"; RectGrad thresholded too {said(found['cut/RectGrad/outside'])}" if kind == "cut" else ""
        return finding(held, told, number)

    return judge


def _nearly_none(found: Measured) -> Finding:
    share = {name: found[f"plain/{name}/outside"] for name in OURS}
    told = "; ".join(f"{name} {said(value)}" for name, value in share.items())
    told += f"; RectGrad more than 2 pixels outside {said(found['near/RectGrad/outside'])}"
    held, number = each_below(share.values(), 0.1)
    return finding(held, f"share outside: {told}", number)


def _alike(kind: str) -> Callable[[Measured], Finding]:
    def judge(found: Measured) -> Finding:
        gaps = [found[f"{kind}/{name}/alike gap"] for name in SINGLE]
        told = ", ".join(f"{name} {said(found[f'{kind}/{name}/alike'])}" for name in ("RectGrad", *SINGLE))
        best = max(COHERENT, key=lambda name: found.value(f"{kind}/{name}/alike"))
        told += f"; highest of the other baselines: {best} {said(found[f'{kind}/{best}/alike'])}"
        held, number = each_above(gaps, 0)
        return finding(held, told, number)

    return judge


def _others_alike(found: Measured) -> Finding:
    gaps = {name: found[f"plain/{name}/alike over single"] for name in COHERENT}
    told = ", ".join(f"{name} {said(gap)}" for name, gap in gaps.items())
    held, number = each_above(gaps.values(), 0)
    return finding(held, f"more alike by: {told}", number)


REDUCED = (
    "17 photos and SqueezeNet in place of ImageNet and Inception v4; 15 samples for SmoothGrad and Integrated Gradients"
)
EXPERIMENTS = (
    Experiment("rectgrad-photos", photo_maps, minutes=(0.75, 1.2), data=("photos", "squeezenet1_0_dc"), reduced=REDUCED),
    Experiment("rectgrad-scenes", scene_maps, minutes=(0.1, 0.25), networks=("scenes",),
               reduced="scenes with digits in place of ImageNet classes"),
    Experiment("rectgrad-photos-mobilenet", mobile_maps, minutes=(None, 0.5), data=("photos", "mobilenet_v2_int8dq"),
               reduced="17 photos, methods of one gradient"),
)  # fmt: skip

PHOTOS = "SqueezeNet, photos whose box covers less than a quarter (quick: 12, full: 17), q = 98, padding trick. "
SCENES = "Small CNN on photos with a pasted digit (quick: 60, full: 120), q = 98, padding trick. "
OUTSIDE = "Share of |map| outside the object's box"
LIKENESS = (
    "Correlation of |map| in the digit's box with maps of the same digit, less that with maps of other digits (intervals "
    "by jackknife over images)"
)
SURROGATE = "SqueezeNet and photos with boxes stand for Inception v4 and the eye."
ON_SCENES = "A small CNN and scenes with digits stand for Inception v4, ImageNet and the eye."


def on_both(id: str, says: str, source: str, how: str, judge: Callable[[Measured], Finding], published: str,
             why: str = SURROGATE, scenes_why: str = ON_SCENES) -> tuple[Claim, Claim]:  # fmt: skip
    """The same claim on photos and on scenes."""
    return (
        Claim(id, says, source, PHOTOS + how, judge, "rectgrad-photos", published=published, why=why),
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
        "Thresholding baselines at their 95th percentile does not bring their maps to the object as RectGrad's.",
        "section 5.2, figure 5a",
        OUTSIDE + ", each thresholded baseline's less RectGrad's, which has no final threshold.",
        _less_outside("cut"),
        "not enough",
        scenes_why=f"{ON_SCENES} RectGrad has no final threshold, as in the paper; measured is also what it has with one.",
    ),
    *on_both(
        "S3-Fig5a-noise",
        "Background noise is nearly nonexistent in RectGrad's maps.",
        "section 5.2, figure 5a",
        OUTSIDE
        + ", with and without PRR: under a tenth counts as nearly none (a limit of our own: the eye misses less).",
        _nearly_none,
        "nearly none",
        scenes_why=f"{ON_SCENES} The boxes are as tight as the strokes, so that 2 pixels beside them count too.",
    ),
    Claim(
        "S3-Fig5a-mobilenet",
        "RectGrad's maps lie on the object more than those of the gradient, Gradient * Input and Guided Backpropagation.",
        "section 5.2, figure 5a",
        "MobileNetV2, 17 photos whose box covers less than a quarter, q = 98, padding trick. "
        + OUTSIDE
        + ", each baseline's less RectGrad's, without final thresholds.",
        _less_outside("plain"),
        "rectgrad-photos-mobilenet",
        published="clearly",
        why="MobileNetV2 and photos with boxes stand for Inception v4 and the eye.",
    ),
    Claim(
        "S3-Fig5a-Inception",
        "Figures 4 to 6 and 13 to 17 on Inception v4 and ImageNet.",
        "section 5.2",
        "As S3-Fig5a and its neighbours.",
        missing="neither weights of Inception v4 nor ImageNet are here; with both, and boxes in a csv file: `heatproof "
        "bench noise --model timm:inception_v4 --weights inception_v4.safetensors --data IMAGENET --masks boxes.csv "
        "--methods 'rectgrad(padding_trick=True, final_threshold=False), gradient, gradient_x_input, guided_backprop, "
        "smoothgrad, integrated_gradients, lrp, deeplift'`.",
    ),
    Claim(
        "S3-Fig15",
        "RectGrad emphasises similar parts for images of a class, more than Saliency Map, Gradient * Input and "
        "Epsilon-LRP.",
        "section 5.2, figure 15",
        SCENES + LIKENESS + "; RectGrad's must be higher than each of the three.",
        _alike("plain"),
        "rectgrad-scenes",
        published="consistently; the three do not",
        why=f"{ON_SCENES} The photos here have one image of each class.",
    ),
    Claim(
        "S3-Fig15-threshold",
        "RectGrad emphasises similar parts for images of a class, more than Saliency Map, Gradient * Input and "
        "Epsilon-LRP with the 95-percentile threshold.",
        "section 5.2, figure 15",
        SCENES + LIKENESS + ", baselines thresholded.",
        _alike("cut"),
        "rectgrad-scenes",
        published="also holds",
        why=ON_SCENES,
    ),
    Claim(
        "S3-Fig15-others",
        "SmoothGrad, Guided Backpropagation, Integrated Gradients and DeepLIFT are more coherent within a class than "
        "Saliency Map, Gradient * Input and Epsilon-LRP.",
        "section 5.2, figure 15",
        SCENES + LIKENESS + "; each of the four less the mean of the three.",
        _others_alike,
        "rectgrad-scenes",
        published="generally coherent",
        why=ON_SCENES,
    ),
)

PICTURES = (
    Picture("Coherence across classes, without and with final thresholding", "figure 5a", "rectgrad-photos", coherence,
            ("S3-Fig5a", "S3-Fig5a-threshold", "S3-Fig5a-noise"), photos=True),
    Picture("Coherence within a class", "figure 15", "rectgrad-scenes", same_class, ("S3-Fig15", "S3-Fig15-others"),
            photos=True),
)  # fmt: skip
