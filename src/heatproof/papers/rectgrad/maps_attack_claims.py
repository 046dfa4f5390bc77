"""Claims of section 5.2 on class sensitivity: figures 5b and 16."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from ...plots._style import Array
from ...plots.plates import bars, photo_of, picture_of, tiles
from ..judge import above, each_above, each_below, finding, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .maps import OURS
from .maps_attack import QUICK_METHODS, cifar_attack, photo_attack, resnet_attack
from .maps_figures import COLUMNS, spoken

EQUALLY = -0.05
"""A change smaller by less than this counts as equal: a limit of our own."""
LITTLE = 0.5
"""A change under it counts as little: a limit of our own."""


def _baselines(found: Measured) -> list[str]:
    names = [name.split("/")[1] for name in found.numbers if name.startswith("plain/") and name.endswith("/moves gap")]
    return [name for name in names if name not in OURS]


def _changes(found: Measured) -> Finding:
    gap, own, noise = (found[f"plain/RectGrad/{what}"] for what in ("over noise", "moves", "noise"))
    told = f"attacked {said(own)}, random signs {said(noise)}, {found.value('images'):.0f} images"
    return finding(above(gap, 0), f"1 - Spearman: {told}; more by {said(gap)}", gap)


def _ranked(kind: str, what: str) -> Callable[[Measured], Finding]:
    """RectGrad's change beside that of each baseline."""

    def judge(found: Measured) -> Finding:
        names = _baselines(found)
        gaps = [found[f"{kind}/{name}/{what} gap"] for name in names]
        told = ", ".join(f"{name} {found.value(f'{kind}/{name}/{what}'):.2f}" for name in names)
        held, least = each_above(gaps, EQUALLY)
        told = f"1 - Spearman: RectGrad {said(found[f'{kind}/RectGrad/{what}'])}, {told}; least gap {said(least)}"
        return finding(held, told, least)

    return judge


def _only(found: Measured) -> Finding:
    names = _baselines(found)
    gaps = {name: found[f"plain/{name}/class gap"] for name in names}
    most = min(gaps, key=lambda name: gaps[name].value)
    told = f"RectGrad {said(found['plain/RectGrad/class'])}, {most} (most) {said(found[f'plain/{most}/class'])}"
    held, number = each_above(gaps.values(), 0)
    return finding(held, f"1 - Spearman: {told}", number)


def _together(found: Measured) -> Finding:
    still = {name: found[f"plain/{name}/still"] for name in _baselines(found)}
    told = ", ".join(f"{name} {said(change)}" for name, change in still.items())
    held, number = each_below(still.values(), LITTLE)
    return finding(held, f"1 - Spearman: RectGrad {said(found['plain/RectGrad/still'])}, {told}", number)


def _before_and_after(found: Measured) -> Figure:
    """As figures 5b and 16: each image above its adversarial example."""
    rows: list[list[Array | None]] = []
    names = []
    for i, photo in enumerate(found.arrays["photos"]):
        for which in ("clean", "attacked"):
            maps = [picture_of(found.arrays[f"{name}/{which}"][i], "diverging") for name in QUICK_METHODS]
            rows.append([photo_of(photo) if which == "clean" else None, *maps])
            names.append(spoken(found, i) if which == "clean" else _flip(found, i))
    return tiles(rows, names, ["image", *(COLUMNS[name] for name in QUICK_METHODS)])


def _flip(found: Measured, place: int) -> str:
    return f"attacked: {found.listed('before')[place]} to {found.listed('now')[place]}"


def _bars(found: Measured) -> Figure:
    names = [*_baselines(found), "RectGrad"]
    said_as = {
        "moves": "image and attacked image",
        "class": "attacked image, both classes",
        "noise": "image and random signs",
    }
    groups = {title: {name: found[f"plain/{name}/{what}"] for name in names} for what, title in said_as.items()}
    return bars(groups, x_label="change of the map, 1 - Spearman")


EXPERIMENTS = (
    Experiment("rectgrad-attack-photos", photo_attack, minutes=(0.5, 2.5), data=("photos", "squeezenet1_0_dc"),
               reduced="SqueezeNet in place of Inception v4, 64 photos, methods of one gradient"),
    Experiment("rectgrad-attack-resnet", resnet_attack, minutes=(0.2, 0.9), data=("CIFAR10", "cifar10_resnet20")),
    Experiment("rectgrad-attack-cifar", cifar_attack, minutes=(None, 1.0), networks=("cifar-clean",), data=("CIFAR10",)),
)  # fmt: skip

WHERE = {
    "": (
        "rectgrad-attack-photos",
        "SqueezeNet on photos (flipped ones: quick 8, full 48 at most), methods of one gradient. ",
    ),
    "-resnet": ("rectgrad-attack-resnet", "ResNet-20 on CIFAR-10 (flipped images: quick 16, full 80 at most). "),
    "-cifar": ("rectgrad-attack-cifar", "The paper's CIFAR-10 network (120 flipped images at most). "),
}
INSTEAD = {
    "": "SqueezeNet stands for Inception v4.",
    "-resnet": "ResNet-20 and CIFAR-10 stand for Inception v4 and ImageNet.",
    "-cifar": "The paper shows Inception v4 on ImageNet.",
}
EYE = "The paper compared by eye: rank correlation also counts what the eye takes for noise."
FEW = "The paper says it of single pictures."
ATTACK = "One step of FGSM, 0.01 of a range from -1 to 1, images whose class flips, q = 98, padding trick. "


def _everywhere(
    id: str, says: str, how: str, judge: Callable[[Measured], Finding], published: str,
    why: str = "", source: str = "section 5.2, figure 5b",
) -> tuple[Claim, ...]:  # fmt: skip
    return tuple(
        Claim(id + place, says, source, WHERE[place][1] + ATTACK + how, judge, WHERE[place][0], published=published,
              why=f"{INSTEAD[place]} {why}".rstrip())
        for place in WHERE
    )  # fmt: skip


CLAIMS = (
    *_everywhere(
        "S3-Fig5b",
        "As an attack flips the class, RectGrad's map changes.",
        "1 - Spearman of the map of the image and that of the attacked image for its new class; more than under random "
        "signs of the same size.",
        _changes,
        "large changes",
    ),
    *_everywhere(
        "S3-Fig5b-rank",
        "RectGrad is equally or more class sensitive than all baselines.",
        "The same change, RectGrad's beside each baseline's; less by under 0.05 (a limit of our own) counts as equal.",
        _ranked("plain", "moves"),
        "equally or more",
        EYE,
    ),
    *_everywhere(
        "S3-Fig5b-threshold",
        "RectGrad is equally or more class sensitive than all baselines with the final threshold.",
        "The same, baselines thresholded at their 95th percentile.",
        _ranked("cut", "moves"),
        "also holds",
        EYE,
    ),
    *_everywhere(
        "S3-Fig5b-class",
        "Only RectGrad's maps are coherent with the class.",
        "1 - Spearman of the attacked image's maps for its new class and for the one before, so that the class alone "
        "differs; RectGrad's must be more than each baseline's.",
        _only,
        "only RectGrad",
        EYE,
    ),
    *_everywhere(
        "S3-Fig16",
        "Where RectGrad's map hardly changes, those of other methods hardly change either.",
        "The quarter of these images where RectGrad's map changes least: every baseline's change there, in the mean, under "
        f"{LITTLE} (a limit of our own).",
        _together,
        "little change in both",
        FEW,
        source="section 5.2, figure 16",
    ),
)

PICTURES = (
    Picture("Before and after an attack", "figures 5b and 16", "rectgrad-attack-photos", _before_and_after,
            ("S3-Fig5b", "S3-Fig16"), photos=True),
    Picture("How far maps move", "figure 5b", "rectgrad-attack-resnet", _bars,
            ("S3-Fig5b-rank-resnet", "S3-Fig5b-class-resnet")),
)  # fmt: skip
