"""Claims of section 5.1: the effect of the threshold, figure 4."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from ...plots.plates import Series, curves, photo_of, picture_of, tiles
from ..judge import above, below, deciding, each_above, every, finding, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .maps_figures import spoken
from .maps_sweep import MIDDLE, QUANTILES, TAU_ZERO, cifar_sweep, photo_sweep, resnet_sweep, scene_sweep

CHANCE = 1.5
"""Times what chance gives: incomprehensible below that, a limit of our own."""
NAMES = (TAU_ZERO, *(f"q = {q}" for q in QUANTILES))


def _constant(found: Measured) -> Finding:
    alike = found["alike/20 to 80"]
    return finding(above(alike, 0.9), f"correlation {said(alike)}", alike)


def _tau_zero(found: Measured) -> Finding:
    shares = [found[f"zero/{q}"] for q in MIDDLE]
    total = found.value("layers")
    told = "; ".join(
        f"q = {q}: {share.value:.0%}, every image in {found.value(f'layers/{q}'):.0f} of {total:.0f} layers"
        for q, share in zip(MIDDLE, shares, strict=True)
    )
    held, number = each_above(shares, 0.9)
    return finding(held, f"tau is exactly 0 in {told}", number)


def _guided(found: Measured) -> Finding:
    alike = [found[f"alike/guided/{q}"] for q in MIDDLE]
    told = ", ".join(f"q = {q}: {said(one)}" for q, one in zip(MIDDLE, alike, strict=True))
    held, number = each_above(alike, 0.9)
    return finding(held, f"correlation {told}", number)


def _identical(found: Measured) -> Finding:
    known, same = found["tau 0 in all layers"], found["identical"]
    if not known.value:
        return finding(None, "", reason="no image has a tau of 0 in all layers, at any q")
    told = f"bit-identical in {same.value:.0f} of {known.value:.0f} maps whose every tau is 0"
    return finding(same == known, told, same)


def _incomprehensible(found: Measured) -> Finding:
    gain, inside = found["gain/0 to 20"], found["inside/q = 0"]
    told = f"q = 0 {said(found['inside/q = 0'])}, q = 20 {said(found['inside/q = 20'])}"
    passed = found.value("passed/0")
    area = found.value("inside/area")
    held, number = deciding([(above(gain, 0), gain), (below(inside, CHANCE * area), inside)])
    return finding(held, f"share inside: {told}, by chance {area:.2f}; at q = 0 {passed:.0%} of the units pass", number)


def _sparser(found: Measured) -> Finding:
    whole = found["sparser/80 to 99"]
    back = [False for name, step in found.numbers.items() if name.startswith("sparser/") and below(step, 0)]
    told = ", ".join(f"q = {q}: {found.value(f'nonzero/q = {q}'):.2f}" for q in (80, 90, 95, 99))
    return finding(every([above(whole, 0), *back]), f"share of pixels that are not zero: {told}", whole)


def _same_regions(found: Measured) -> Finding:
    share = found["region"]
    return finding(above(share, 0.9), f"{said(share)}; by chance 0.10", share)


def _focus(found: Measured) -> Finding:
    gain = found["gain/80 to 99"]
    told = ", ".join(f"q = {q}: {said(found[f'inside/q = {q}'])}" for q in (80, 90, 95, 99))
    return finding(above(gain, 0), f"share inside: {told}", gain)


def _strip(found: Measured) -> Figure:
    """As figure 4: photos down, thresholds across."""
    rows = []
    for i, photo in enumerate(found.arrays["photos"]):
        rows.append([photo_of(photo), *(picture_of(found.arrays[name][i], "diverging") for name in NAMES)])
    return tiles(rows, [spoken(found, i) for i in range(len(rows))], ["image", *NAMES])


def _by_threshold(found: Measured) -> Figure:
    """What q does to the maps of the photos."""
    places = sorted({*QUANTILES, *MIDDLE})
    x = [float(q) for q in places]
    return curves(
        {
            "share inside the box": Series.of(x, [found[f"inside/q = {q}"] for q in places]),
            "share of pixels that are not zero": Series.of(x, [found[f"nonzero/q = {q}"] for q in places]),
        },
        x_label="threshold percentile q",
        marks={"box / image": found.value("inside/area")},
    )


EXPERIMENTS = (
    Experiment("rectgrad-sweep-photos", photo_sweep, minutes=(0.35, 0.45), data=("photos", "squeezenet1_0_dc"),
               reduced="12 photos and SqueezeNet in place of ImageNet and Inception v4"),
    Experiment("rectgrad-sweep-scenes", scene_sweep, minutes=(0.1, 0.15), networks=("scenes",)),
    Experiment("rectgrad-sweep-resnet", resnet_sweep, minutes=(0.15, 0.25), data=("CIFAR10", "cifar10_resnet20")),
    Experiment("rectgrad-sweep-cifar", cifar_sweep, minutes=(None, 0.2), networks=("cifar-clean",), data=("CIFAR10",)),
)  # fmt: skip

WHERE = {
    "": ("rectgrad-sweep-photos", "SqueezeNet, photos whose box covers less than a quarter (quick: 8, full: 12). "),
    "-scenes": ("rectgrad-sweep-scenes", "Small CNN, photos with a pasted digit (quick: 60, full: 120). "),
    "-resnet": ("rectgrad-sweep-resnet", "ResNet-20, CIFAR-10 test images (quick: 40, full: 80). "),
    "-cifar": ("rectgrad-sweep-cifar", "The paper's CIFAR-10 network, 120 test images. "),
}
TRICK = "Padding trick, no final threshold. "
TAU = (
    "Tau is 0 only where under q % of a layer's scores are negative and under 100 - q % positive: elsewhere it is under 0, "
    "so that silent units pass too, or over 0."
)
EXACT = f"{TAU} The paper says that tau is about 0; here it must be 0, since at any other value other units pass."
INSTEAD = {
    "": "SqueezeNet and photos with boxes stand for Inception v4 and the eye.",
    "-scenes": "A small CNN and scenes with digits stand for Inception v4, ImageNet and the eye.",
    "-resnet": "ResNet-20 and CIFAR-10 stand for Inception v4 and ImageNet.",
    "-cifar": "The paper shows Inception v4 on ImageNet.",
}


def _everywhere(
    id: str, says: str, how: str, judge: Callable[[Measured], Finding], published: str,
    boxes: bool = False, why: str = "",
) -> tuple[Claim, ...]:  # fmt: skip
    """One claim on each network; those on objects need boxes."""
    places = [place for place in WHERE if not boxes or place in ("", "-scenes")]
    return tuple(
        Claim(id + place, says, "section 5.1, figure 4", WHERE[place][1] + TRICK + how, judge, WHERE[place][0],
              published=published, why=f"{INSTEAD[place]} {why}".rstrip())
        for place in places
    )  # fmt: skip


CLAIMS = (
    *_everywhere(
        "S3-Fig4-zero",
        "Maps are incomprehensible at q = 0 and improve dramatically up to q = 20.",
        f"Share of |map| inside the object's box: at q = 20 more than at q = 0, and there less than {CHANCE:g} times the "
        "area of the box, which chance gives.",
        _incomprehensible,
        "dramatically improved",
        boxes=True,
        why="At q = 0 nearly all units pass, silent ones too; the eye finds nothing, but the sums still lie on the object "
        "more than chance gives.",
    ),
    *_everywhere(
        "S3-Fig4-constant",
        "Maps do not change significantly from q = 20 to q = 80.",
        "Correlation of the maps at q = 20 and at q = 80; over 0.9 counts as no change.",
        _constant,
        "no significant change",
        why=TAU,
    ),
    *_everywhere(
        "S3-Fig4-tau",
        "Maps stay alike from q = 20 to q = 80 because most units are zero, so that tau is 0.",
        "Share of layers and images with tau exactly 0 at q = 20, 50 and 80; over 90 % counts as held.",
        _tau_zero,
        "tau is about 0",
        why=EXACT,
    ),
    *_everywhere(
        "S3-Fig4-guided",
        "From q = 20 to q = 80, maps resemble those of guided backpropagation times input.",
        "Correlation with guided backpropagation times input at q = 20, 50 and 80; over 0.9 at each counts as alike.",
        _guided,
        "resemble",
        why=TAU,
    ),
    *_everywhere(
        "S3-Fig4-identical",
        "Where tau is 0 in every layer, the map is that of tau = 0.",
        "Maps at all q whose every tau is 0: those equal to the map at tau = 0 in every bit.",
        _identical,
        "tau is about 0",
    ),
    *_everywhere(
        "S3-Fig4-sparse",
        "Maps become sparser as q grows above 80.",
        "Share of pixels that are not zero, at q = 80 less at q = 99; it must not grow at 90 or 95.",
        _sparser,
        "sparser",
    ),
    *_everywhere(
        "S3-Fig4-regions",
        "Regions of high attribution do not change from q = 20 on.",
        "Share of |map| at q = 99 on the tenth of the pixels that is highest at q = 20; over 0.9 counts as unchanged, as "
        "for maps.",
        _same_regions,
        "did not change",
    ),
    *_everywhere(
        "S3-Fig4-focus",
        "Above q = 80 maps turn from the scene to the object.",
        "Share of |map| inside the object's box, at q = 99 less at q = 80.",
        _focus,
        "most influential features",
        boxes=True,
    ),
)

PICTURES = (
    Picture("The threshold", "figure 4", "rectgrad-sweep-photos", _strip,
            ("S3-Fig4-constant", "S3-Fig4-zero", "S3-Fig4-sparse", "S3-Fig4-regions"), photos=True),
    Picture("What the threshold does to maps", "figure 4", "rectgrad-sweep-photos", _by_threshold,
            ("S3-Fig4-focus", "S3-Fig4-sparse")),
)  # fmt: skip
