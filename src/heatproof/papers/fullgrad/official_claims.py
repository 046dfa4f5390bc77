"""Claims of section 4.2 on the map itself, and of the authors' code."""

from __future__ import annotations

from ..judge import below, every, finding, plain, said, within
from ..types import Claim, Experiment, Finding, Measured, Picture
from .official import maps
from .official_code import BLOCKS, TOLERANCE, code
from .theory_claims import EXACT

NETS = ("ResNet-20", "VGG-9")


def _apart(found: Measured, names: list[str]) -> Finding:
    worst = max((found[name] for name in names), key=lambda number: number.value)
    held = every(below(found[name], EXACT) for name in names)
    return finding(held, f"largest difference, relative to the map: {plain(worst.value)}", worst)


def _equation_2(found: Measured) -> Finding:
    return _apart(found, [f"{how}/{net}" for how in ("equation 2", "rescaled by layer", "psi_m") for net in NETS])


def _simple(found: Measured) -> Finding:
    return _apart(found, [f"{how}/{net}" for how in ("official code", "SimpleFullGrad") for net in NETS])


def _smooth(found: Measured) -> Finding:
    return _apart(found, ["SmoothFullGrad/ResNet-20"])


def _by_channel(found: Measured) -> Finding:
    layer, channel = found["example/layer"], found["example/channel"]
    text = f"channels (1, -3) and (.5, .25) give {layer.value:.3f} by layer and {channel.value:.3f} by channel; rank "
    text += f"correlation of the maps of ResNet-20 {said(found['rank correlation'], 3)}"
    return finding(within(layer, channel.value, EXACT), text, found["rank correlation"])


def _check(found: Measured) -> Finding:
    passed, inputs, median = (found.value(f"check/{name}") for name in ("passed", "inputs", "median"))
    text = f"{passed:,.0f} of {inputs:,.0f} inputs pass, while the sum misses the output by {median:.0%} in the median"
    return finding(passed == 0 or median <= TOLERANCE, text, found["check/passed"])


def _hooks(found: Measured) -> Finding:
    held = below(found["hooks/median"], TOLERANCE)
    text = (
        f"the sum misses the output by {found.value('hooks/median'):.1%} in the median of {BLOCKS} networks; each bias "
    )
    return finding(held, f"{text}with its own gradient: {plain(found.value('pairs/most'))}", found["hooks/median"])


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
        "The example of two channels, and maps of ResNet-20 on CIFAR-10, rescaled by channel and by layer (the code).",
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
        "S2-Smooth", "SmoothFullGrad of the authors' code is FullGrad over noisy copies, noise .15 of the range.",
        "official code, smooth_fullgrad.py",
        "ResNet-20, 4 CIFAR-10 images, float64, 5 draws: smooth(fullgrad) beside a mean of slow maps.", _smooth,
        "fullgrad-maps-exact", published="definition; 25 samples",
        why="Ours is the mean of the maps where the code has their sum; noise is of each image's range, not the batch's.",
    ),
    Claim(
        "S2-Code-check", "The check in the code's constructor (one random input, 1e-4) tells an incomplete decomposition.",
        "official code, tensor_extractor.py",
        "Five networks with GELU, whose implicit biases the code lacks; inputs N(0, 1) that pass.", _check,
        "fullgrad-official-code", published="completeness test passed",
        why="One input can agree by luck: the difference changes its sign from input to input.", error=True,
    ),
    Claim(
        "S2-Code-hooks", "The code pairs each bias with its gradient (order of modules, reversed order of the backward).",
        "official code, tensor_extractor.py",
        f"{BLOCKS} residual blocks with random weights whose shortcut is registered before the main path; float64.", _hooks,
        "fullgrad-official-code", published="bias[i] belongs to gradient[i]",
        why="A shortcut that is registered first and run last swaps two gradients of the same shape, silently.", error=True,
    ),
)  # fmt: skip

PICTURES: tuple[Picture, ...] = ()
