"""Claims of section 4.2 on the map itself, and of the authors' code."""

from __future__ import annotations

from ..judge import below, every, finding, plain, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .official import maps
from .official_code import BLOCKS, TOLERANCE, code
from .theory_claims import EXACT

NETS = ("ResNet-20", "VGG-9")
LUCK = 0.01
"""Largest chance that a check may pass where it should not."""


def _apart(found: Measured, names: list[str]) -> Finding:
    worst = max((found[name] for name in names), key=lambda number: number.value)
    held = every(below(found[name], EXACT) for name in names)
    return finding(held, f"largest difference, relative to the map: {plain(worst.value)}", worst)


def _equation_2(found: Measured) -> Finding:
    return _apart(found, [f"{how}/{net}" for how in ("equation 2", "rescaled by layer", "psi_m") for net in NETS])


def _simple(found: Measured) -> Finding:
    return _apart(found, [f"{how}/{net}" for how in ("official code", "SimpleFullGrad") for net in NETS])


def _smooth(found: Measured) -> Finding:
    done = _apart(found, ["SmoothFullGrad/ResNet-20"])
    ranks = f"rank correlation {said(found['SmoothFullGrad/rank correlation'], 3)}"
    own = f"beside the mean of slow maps: {plain(found.value('SmoothFullGrad/mean of maps'))}"
    return Finding(done.held, f"{done.measured}, {ranks}; {own}", done.number, done.reason)


def _by_channel(found: Measured) -> Finding:
    gaps = {net: found[f"channel - layer/{net}"] for net in NETS}
    text = "largest difference of the maps by channel and by layer, relative to the map: "
    text += ", ".join(f"{net} {plain(gap.value)}" for net, gap in gaps.items())
    text += f"; their rank correlation on ResNet-20 {said(found['rank correlation'], 3)}"
    return finding(every(below(gap, EXACT) for gap in gaps.values()), text, gaps[NETS[0]])


def _check(found: Measured) -> Finding:
    chance, median = found["check/chance"], found.value("check/median")
    text = f"{100 * chance.value:.3f} % of {found.value('check/inputs'):,.0f} inputs pass, while the sum misses "
    return finding(below(chance, LUCK), f"{text}the output by {median:.0%} in the median", chance)


def _hooks(found: Measured) -> Finding:
    held = below(found["hooks/median"], TOLERANCE)
    text = f"the sum misses the output by {found.value('hooks/median'):.1%} in the median of {BLOCKS} networks, "
    text += (
        f"{found.value('hooks/refused'):g} of which the constructor's check refuses; each bias with its own gradient: "
    )
    return finding(held, f"{text}{plain(found.value('pairs/most'))} at most", found["hooks/median"])


EXPERIMENTS = (
    Experiment("fullgrad-maps-exact", maps, (0.1, 0.2), data=("CIFAR10", "cifar10_resnet20")),
    Experiment("fullgrad-official-code", code, (0.02, 0.1)),
)
_NETS = "ResNet-20 on 4 CIFAR-10 images and VGG-9 (random), float64"

CLAIMS = (
    Claim(
        "S2-Eq2", "The FullGrad map is psi(gradient x input) plus psi of every bias-gradient, summed.",
        "section 4.2, equation 2",
        f"{_NETS}: the method beside an own slow version, one channel at a time, rescaled by channel, by layer, signed.",
        _equation_2, "fullgrad-maps-exact", published="definition",
    ),
    Claim(
        "S2-Eq2-code", "psi rescales each channel, and the published maps are of it.", "equation 2; official code",
        f"{_NETS}: maps rescaled by channel beside maps rescaled by layer, as the code does. Held: the same maps.",
        _by_channel, "fullgrad-maps-exact", published="sum over c of psi(f^b(x)_c)",
        why="Both versions of the authors' code rescale a whole layer at once, so the published results are of that.",
        error=True,
    ),
    Claim(
        "S2-Simple", "SimpleFullGrad of the authors' code is FullGrad with gradients at layers in place of bias-gradients.",
        "official code, simple_fullgrad.py",
        f"{_NETS}: simple_fullgrad(official=True) and fullgrad(official=True) beside an own transcription.", _simple,
        "fullgrad-maps-exact", published="definition",
    ),
    Claim(
        "S2-Smooth", "heatproof's smooth(fullgrad(official=True)) gives the maps of the authors' SmoothFullGrad.",
        "official code, smooth_fullgrad.py",
        "ResNet-20, 4 CIFAR-10 images, float64, 5 draws of noise, .15 of the image's range: "
        "smooth(fullgrad(official=True)) beside an own transcription of the code on the same noise.", _smooth,
        "fullgrad-maps-exact", published="definition; 25 samples",
        why="The code adds up signed shares of the noisy copies and takes psi once; ours is the mean of the maps, where "
        "signs cannot cancel. Its noise is .15 of the range of the whole batch, ours of each image's own.",
    ),
    Claim(
        "S2-Code-check", "The check in the code's constructor (one random input, 1e-4) tells an incomplete decomposition.",
        "official code, fullgrad.py",
        "Five networks with GELU, whose implicit biases the code lacks: share of inputs N(0, 1) that pass. Held: below "
        f"{LUCK:.0%}.", _check,
        "fullgrad-official-code", published="completeness test passed",
        why="One input can agree by luck, since the difference changes its sign from input to input; that is rare where "
        "the sum is as wrong as here.",
    ),
    Claim(
        "S2-Code-hooks", "The code pairs each bias with its gradient (order of modules, reversed order of the backward).",
        "official code, tensor_extractor.py",
        f"{BLOCKS} residual blocks with random weights whose shortcut is registered before the main path; float64.", _hooks,
        "fullgrad-official-code", published="bias[i] belongs to gradient[i]",
        why="A shortcut that is registered first and run last swaps two gradients of the same shape; the constructor's "
        "check then refuses the network, so FullGrad cannot be used on it.",
        error=True,
    ),
)  # fmt: skip

PICTURES: tuple[Picture, ...] = ()
