"""Claims of figure 2: sums of gradient x input against the 1000 logits of a photo."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from ...plots.plates import points
from ..judge import above, below, every, finding, plain, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .maps_photos import NETWORKS, photo_logits
from .maps_trained_claims import CLEARLY

NAME = "cgi-photo-logits"
NAMES = {"squeezenet1_0": "SqueezeNet", "mobilenet_v2": "MobileNetV2"}
PROTOCOL = (
    "all 1000 logits of ImageNet photos at 224 pixels; x . gradient of every logit by one forward derivative, checked "
    "against the maps of three logits."
)


def _linear(network: str) -> Callable[[Measured], Finding]:
    def judge(found: Measured) -> Finding:
        number, gap = found[f"{network}/pearson"], found.value(f"{network}/maps beside derivative")
        slope = said(found[f"{network}/slope"])
        text = f"Pearson r {said(number, 3)}, slope {slope}; maps and derivative {plain(gap)} apart"
        return finding(every([above(number, 0.9), gap < 1e-3]), text, number)

    return judge


def _delta(found: Measured) -> Finding:
    held = every(
        answer for n in NETWORKS for answer in (above(found[f"{n}/delta"], 0.1), below(found[f"{n}/delta"], 0.2))
    )
    text = "; ".join(f"{NAMES[n]} {said(found[f'{n}/delta'], 4)}" for n in NETWORKS)
    chance = found.value(f"{NETWORKS[0]}/delta by chance")
    return finding(held, f"{text}; 1/sqrt(n): {chance:.4f}", found[f"{NETWORKS[0]}/delta"])


def _beyond_chance(found: Measured) -> Finding:
    held = every(above(found[f"{n}/delta"], CLEARLY * found.value(f"{n}/delta by chance")) for n in NETWORKS)
    times = "; ".join(
        f"{NAMES[n]} {said(found[f'{n}/delta'], 4)}, {found.value(f'{n}/delta') / found.value(f'{n}/delta by chance'):.1f} "
        "times 1/sqrt(n)"
        for n in NETWORKS
    )
    return finding(held, times, found[f"{NETWORKS[0]}/delta"])


def _ratio(found: Measured) -> Finding:
    held = every(above(found[f"{n}/twice the next"], 0.5) for n in NETWORKS)
    text = "; ".join(
        f"{NAMES[n]}: {found.value(f'{n}/twice the next'):.0%} of the photos, median ratio to the next "
        f"{found.value(f'{n}/ratio to the next'):.2f}, to the others' mean size "
        f"{found.value(f'{n}/ratio to the rest'):.1f}"
        for n in NETWORKS
    )
    return finding(held, text, found[f"{NETWORKS[0]}/twice the next"])


def _scatter(found: Measured) -> Figure:
    pairs = {NAMES[n]: (found.arrays[f"{n}/logits"].numpy(), found.arrays[f"{n}/sums"].numpy()) for n in NETWORKS}
    return points(pairs, x_label="logit", y_label="sum of gradient x input", line=True)


EXPERIMENTS = (
    Experiment(
        NAME,
        photo_logits,
        minutes=(0.25, 0.55),
        data=("photos", "squeezenet1_0_dc", "mobilenet_v2_int8dq"),
        reduced="60 photos",
    ),
)

SURROGATE = "VGG-19's weights are not here; {} stands in for it"
CLAIMS = (
    Claim(
        "S0-Fig2",
        "Sums of gradient x input vary about linearly with the 1000 logits of a photo, though the network has biases.",
        "section 3, figure 2",
        f"SqueezeNet: {PROTOCOL} Held: mean r over 0.9.",
        _linear("squeezenet1_0"),
        NAME,
        "approximately linear",
        SURROGATE.format("SqueezeNet, like it ReLUs and biases without batch norm,")
        + ", on many photos instead of one.",
    ),
    Claim(
        "S0-Fig2-BN",
        "The same on a network with batch norm.",
        "section 3, figure 2",
        f"MobileNetV2: {PROTOCOL} Held: mean r over 0.9.",
        _linear("mobilenet_v2"),
        NAME,
        "approximately linear (VGG-19, which has none)",
        "The logit is the sum plus what all biases add (FullGrad, proposition 3), and batch norm makes one of every layer, "
        "ReLU6 another where it saturates: here they carry nearly all of the logit; which weighs more is not measured.",
    ),
    Claim(
        "S0-Fig2-VGG19",
        "Sums of gradient x input vary about linearly with the logits of VGG-19.",
        "section 3, figure 2",
        "",
        published="approximately linear",
        missing="VGG-19's weights are not here. With them: heatproof audit --model torchvision:vgg19 --weights vgg19.pth "
        "--images photos --methods gradient_x_input --check classes (sums of the maps of ten logits as rows 'total').",
    ),
    Claim(
        "S0-Thm-delta-photos",
        "On real data delta, the inner product of unit gradient and unit input, is 0.1 to 0.2 for the chosen label.",
        "section 3.1",
        "SqueezeNet and MobileNetV2 on photos: g . x / (|g| |x|), predicted label. Held: both intervals lie in 0.1 to 0.2.",
        _delta,
        NAME,
        "0.1 to 0.2",
        "The paper does not name its networks; photos have 150,528 values, so that chance alone is far smaller too.",
    ),
    Claim(
        "S0-Thm-chance-photos",
        "Gradient and input are correlated: delta is well above the 1/sqrt(n) of independent vectors.",
        "section 3.1",
        f"SqueezeNet and MobileNetV2 on photos. Held: both intervals are over {CLEARLY} times 1/sqrt(n).",
        _beyond_chance,
        NAME,
        "0.1 to 0.2 against 0.01 at n = 10,000",
        "SqueezeNet's gradient follows the photo, though less than our limit asks for; MobileNetV2's logits come from "
        "biases (S0-Fig2-BN), so that its gradient need not.",
    ),
    Claim(
        "S0-Thm-ratio-photos",
        "The chosen label's logit is significantly higher than the others, say 2X or 4X.",
        "section 3.1",
        "SqueezeNet and MobileNetV2: share of photos whose largest logit is at least twice the next. Held: over a half.",
        _ratio,
        NAME,
        "2X or 4X",
        "Among 1000 labels some are near relatives of the chosen one, whose logits come close.",
    ),
)

PICTURES = (
    Picture(
        "Sums of gradient x input against the 1000 logits of one photo",
        "figure 2",
        NAME,
        _scatter,
        ("S0-Fig2", "S0-Fig2-BN"),
    ),
)
