"""Claims of section 5.3, "noise level", and figure 8."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from ...plots.plates import bars, boxes
from ..judge import above, every, finding, plain, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .noise import METHODS, PRR, RECTGRAD, cifar, cifar_surrogate, photos, scenes

OUTSIDE = dict(zip(METHODS, (450, 300, 9400, 2450, 2350, 3750, 2500, 1450), strict=True))
VARIATION = dict(zip(METHODS, (45, 32, 635, 270, 205, 300, 222, 142), strict=True))
"""Read off figure 8: sums over 100 images, medians."""
OURS = (RECTGRAD, PRR)


def least(mine: str, reading: str, besides: tuple[str, ...] = ()) -> Callable[[Measured], Finding]:
    """Whether a method has less than each other one (but for `besides`) on the same images."""

    def judge(found: Measured) -> Finding:
        others = [name for name in found.listed("methods") if name not in (mine, *besides)]
        closest = min(others, key=lambda name: found[f"{name} - {mine}/{reading}"].lower)
        nearest = found[f"{closest} - {mine}/{reading}"]
        held = every(above(found[f"{name} - {mine}/{reading}"], 0.0) for name in others)
        return finding(held, f"{listing(found, reading)}; {closest} less {mine}: {said(nearest)}", nearest)

    return judge


def listing(found: Measured, reading: str) -> str:
    """The mean of every method, and of sums in brackets the median: few images may have most."""
    values = [f"{name} {plain(found.value(f'{name}/{reading}'))}" for name in found.listed("methods")]
    if reading != "authors":
        return f"means {', '.join(values)}"
    medians = [plain(found.value(f"median/{name}/{reading}")) for name in found.listed("methods")]
    return f"means (medians) {', '.join(f'{v} ({m})' for v, m in zip(values, medians, strict=True))}"


def _outside(found: Measured) -> Figure:
    """Both relative to the gradient's: the networks differ."""
    ours = {name: found[f"{name}/authors"] for name in found.listed("methods")}
    unit = ours["gradient"].value
    shown = {name: tuple(v / unit for v in number) for name, number in ours.items()}
    published = {name: value / OUTSIDE["gradient"] for name, value in OUTSIDE.items()}
    return bars({"published": published, "measured here": shown}, x_label="attribution outside, the gradient's = 1")


def _outside_share(found: Measured) -> Figure:
    shown = {name: tuple(found[f"{name}/plain"]) for name in found.listed("methods")}
    return bars({"all": shown}, x_label="share of attribution outside / share of area outside", marks={"chance": 1.0})


def boxed(reading: str, label: str, log: bool = False) -> Callable[[Measured], Figure]:
    """Box plots of a reading, in the paper's order."""

    def draw(found: Measured) -> Figure:
        values = found.arrays[reading].numpy()
        return boxes(dict(zip(found.listed("methods"), values, strict=True)), x_label=label, log=log)

    return draw


EXPERIMENTS = (
    Experiment(
        "rectgrad-outside-photos", photos, (1.3, 3.0), data=("photos", "squeezenet1_0_dc"),
        reduced="39 of 100 images; SmoothGrad with 10 of 50 samples, integrated gradients with 10 of 50 steps",
    ),
    Experiment("rectgrad-outside-scenes", scenes, (0.2, 0.4), networks=("scenes",)),
    Experiment(
        "rectgrad-variation-resnet", cifar_surrogate, (0.2, 0.8), data=("CIFAR10", "cifar10_resnet20"),
        reduced="100 test images",
    ),
    Experiment(
        "rectgrad-variation", cifar, (None, 0.9), networks=("cifar-clean",),
        reduced="200 of 10,000 test images",
    ),
)  # fmt: skip

AUTHORS = "as the authors measure: baselines' low 95 % removed, RectGrad's positive part"
OUT_SAYS = "RectGrad puts less attribution on the background than every baseline method"
SMOOTH_SAYS = "RectGrad has less total variation than every baseline method"
PHOTOS = "SqueezeNet, correctly classified ImageNet photos whose box covers less than half (quick 24, full all 39)"
DIGITS = "SmallCNN, 100 correctly classified scenes of a digit on a photo with exact masks"
RESNET = "ResNet-20, CIFAR-10 test images (quick 32, full 100), predicted class"
CNN = "The paper's CNN, 200 CIFAR-10 test images, predicted class"
TOP, BOTTOM = "section 5.3, figure 8 top", "section 5.3, figure 8 bottom"
READ_TOP = "RectGrad 450, PRR 300, gradient 9400, guided backpropagation 2450, SmoothGrad 2350, gradient x input 3750, "
READ_TOP += "integrated gradients 2500, DeepLIFT 1450 (read off; sums of 100 images)"
READ_BOTTOM = "RectGrad 45, PRR 32, gradient 635, guided backpropagation 270, SmoothGrad 205, gradient x input 300, "
READ_BOTTOM += "integrated gradients 222, DeepLIFT 142 (medians, read off)"


def _three(
    id: str, says: str, source: str, where: str, unit: str, published: str, experiment: str
) -> tuple[Claim, ...]:
    """The paper's sum; the same maps on a scale of their own; maps as they are on that scale."""
    texts = {
        "authors": ("", says, f"{where}; {AUTHORS}; sums in the units of the maps, compared image by image."),
        "share": ("-share", f"{says}, {unit}", f"{where}; {AUTHORS}; {unit}, which sees no scale."),
        "plain": (
            "-plain",
            f"{says}, {unit} and without thresholds on baselines",
            f"{where}; maps as they are; {unit}.",
        ),
    }
    return tuple(
        Claim(
            f"{id}{suffix}", f"{text}.", source, protocol, least(RECTGRAD, reading, (PRR,)), experiment,
            published if reading == "authors" else "", WHY[f"{id}{suffix}"],
        )
        for reading, (suffix, text, protocol) in texts.items()
    )  # fmt: skip


NO_MASKS = "The authors' masks of CIFAR-10 images are not here;"
ON_PHOTOS = f"{NO_MASKS} photos with boxes take their place."
ON_SCENES = f"{NO_MASKS} scenes with exact masks take their place."
SPARSE = "Without their low 95 % the baselines are as sparse as RectGrad."
LONE = "Of maps as they are, those of lone pixels vary most, since each counts four times, and RectGrad leaves such."
OWN = "200 of the paper's 10,000 test images."
INSTEAD = "ResNet-20 stands for the paper's network, which quick does not train."
WHY = {
    "S3-Fig8-top": f"{ON_PHOTOS} The paper adds the sums of all images; where means and medians differ, few photos decide.",
    "S3-Fig8-top-share": ON_PHOTOS,
    "S3-Fig8-top-plain": ON_PHOTOS,
    "S3-Fig8-top-scenes": f"{ON_SCENES} {SPARSE}",
    "S3-Fig8-top-scenes-share": f"{ON_SCENES} {SPARSE}",
    "S3-Fig8-top-scenes-plain": ON_SCENES,
    "S3-Fig8-bottom": OWN,
    "S3-Fig8-bottom-share": OWN,
    "S3-Fig8-bottom-plain": f"{OWN} {LONE}",
    "S3-Fig8-bottom-resnet": INSTEAD,
    "S3-Fig8-bottom-resnet-share": INSTEAD,
    "S3-Fig8-bottom-resnet-plain": f"{INSTEAD} {LONE}",
}
SHARE_OUT, SHARE_TV = "as a share of all attribution, over the area", "divided by the sum of |attribution|"
CLAIMS = (
    *_three("S3-Fig8-top", OUT_SAYS, TOP, PHOTOS, SHARE_OUT, READ_TOP, "rectgrad-outside-photos"),
    *_three("S3-Fig8-top-scenes", OUT_SAYS, TOP, DIGITS, SHARE_OUT, READ_TOP, "rectgrad-outside-scenes"),
    Claim(
        "S3-Fig8-top-masks",
        f"{OUT_SAYS}, on CIFAR-10 images with masks.",
        TOP,
        "As S3-Fig8-top and its neighbours.",
        missing="the authors' 204 images with masks are not here; with them, as photos and PHOTO.mask.png beside them: "
        "`heatproof bench noise --model heatproof.models.nets.rectgrad_cnn:RectGradCNN --weights cifar.safetensors --data "
        "MASKED --masks beside --statistic code --mean 0.5 --std 0.5 --methods 'rectgrad, gradient, guided_backprop, "
        "smoothgrad, gradient_x_input, integrated_gradients, deeplift'`.",
    ),
    *_three("S3-Fig8-bottom", SMOOTH_SAYS, BOTTOM, CNN, SHARE_TV, READ_BOTTOM, "rectgrad-variation"),
    *_three("S3-Fig8-bottom-resnet", SMOOTH_SAYS, BOTTOM, RESNET, SHARE_TV, READ_BOTTOM, "rectgrad-variation-resnet"),
)

PICTURES = (
    Picture(
        "Attribution outside the object's box, relative to the gradient's", "figure 8 top", "rectgrad-outside-photos",
        _outside, ("S3-Fig8-top", "S3-Fig8-top-share"),
    ),
    Picture(
        "Share of attribution outside the object's box, maps as they are", "figure 8 top", "rectgrad-outside-photos",
        _outside_share, ("S3-Fig8-top-plain",),
    ),
    Picture(
        "Attribution outside the digit, relative to the gradient's", "figure 8 top", "rectgrad-outside-scenes",
        _outside, ("S3-Fig8-top-scenes", "S3-Fig8-top-scenes-share"),
    ),
    Picture(
        "Share of attribution outside the digit, maps as they are", "figure 8 top", "rectgrad-outside-scenes",
        _outside_share, ("S3-Fig8-top-scenes-plain",),
    ),
    Picture(
        "Total variation on the paper's network, as the authors measure", "figure 8 bottom", "rectgrad-variation",
        boxed("authors", "total variation, authors' statistic", log=True), ("S3-Fig8-bottom", "S3-Fig8-bottom-share"),
    ),
    Picture(
        "Total variation over the sum of |attribution| on the paper's network, maps as they are", "figure 8 bottom",
        "rectgrad-variation", boxed("plain", "total variation / sum of |attribution|"), ("S3-Fig8-bottom-plain",),
    ),
    Picture(
        "Total variation on ResNet-20, as the authors measure", "figure 8 bottom", "rectgrad-variation-resnet",
        boxed("authors", "total variation, authors' statistic", log=True),
        ("S3-Fig8-bottom-resnet", "S3-Fig8-bottom-resnet-share"),
    ),
    Picture(
        "Total variation over the sum of |attribution| on ResNet-20, maps as they are", "figure 8 bottom",
        "rectgrad-variation-resnet", boxed("plain", "total variation / sum of |attribution|"),
        ("S3-Fig8-bottom-resnet-plain",),
    ),
)  # fmt: skip
