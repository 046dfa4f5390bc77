"""Claims of section 2.2 on similarities and views, and of appendix B on their calibration."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from statistics import NormalDist

from matplotlib.figure import Figure

from ...plots.plates import bars
from ..judge import above, below, every, finding, plain, said, within
from ..types import Claim, Experiment, Finding, Measured, Picture
from .calibration import masks
from .metrics import metrics

EXACT = 1e-9
PAIRS = 50
"""Of the paper."""
FOUR = NormalDist().inv_cdf((1 + 0.95 ** (1 / 4)) / 2) / NormalDist().inv_cdf(0.975)
"""How much wider four intervals of 98.7 % are than those of 95 %: all of them hold in 95 %."""
NAMES = {"spearman": "Spearman, signed", "spearman_abs": "Spearman, absolute", "hog": "HOG", "ssim": "SSIM"}
UNIFORM = dict(zip(NAMES, (0.00016, -0.0015, 0.078, 0.00076), strict=True))
NORMAL = dict(zip(NAMES, (0.00018, 0.00043, -0.0013, 0.00023), strict=True))


def same(name: str) -> Callable[[Measured], Finding]:
    def judge(found: Measured) -> Finding:
        gap = found[name]
        return finding(below(gap, EXACT), f"largest difference {plain(gap.value)}", gap)

    return judge


def _absolute(found: Measured) -> Finding:
    return finding(found.value("view/order") == 1, "brightness never falls as the magnitude grows")


def _diverging(found: Measured) -> Finding:
    names = ("view/signs", "view/colours")
    held = every(found.value(n) == 1 for n in names) and found.value("view/zero") == 0
    return finding(held, f"every pixel has the colour of its sign; zero is drawn as {plain(found.value('view/zero'))}")


def _zero(found: Measured) -> Finding:
    zero = found["pair/zero"]
    text = f"[-10, -3, -1, 0, .5, 1] puts zero at {plain(zero.value)} of [-1, 1]; -10 and -3 are drawn alike"
    return finding(within(zero, 0.0, EXACT), text, zero)


def _negation(found: Measured) -> Finding:
    text = "; ".join(f"{NAMES[n]} {said(found[f'negative/{n}'])}" for n in NAMES)
    held = every(below(found[f"negative/{n}"], 0.5) for n in ("ssim", "hog"))
    return finding(held, f"of a map and its negative: {text}", found["negative/hog"])


def _range(found: Measured) -> Finding:
    more = found["range/more"]
    text = f"range 1: {said(found['range/1'], 3)}; range 2: {said(found['range/2'], 3)}; difference {said(more, 3)}"
    return finding(above(more, 0.0), text, more)


def _masks(kind: str, published: dict[str, float]) -> Callable[[Measured], Finding]:
    """Whether our means and the paper's, of 50 pairs, differ by no more than four such means may by chance."""

    def judge(found: Measured) -> Finding:
        numbers = {n: found[f"{kind}/{n}"] for n in NAMES}
        wider = FOUR * sqrt(1 + found.value("pairs") / PAIRS)
        near = {n: abs(v.value - published[n]) / (wider * (v.upper - v.value)) for n, v in numbers.items()}
        text = "; ".join(f"{NAMES[n]} {said(number, 4)}, published {published[n]}" for n, number in numbers.items())
        return finding(max(near.values()) <= 1, text, numbers[max(near, key=lambda n: near[n])])

    return judge


def _calibrated(found: Measured) -> Finding:
    numbers = [found[f"{kind}/{n}"] for kind in ("uniform", "normal") for n in NAMES]
    worst = max(numbers, key=lambda n: abs(n.value))
    near = every(every((above(n, -0.1), below(n, 0.1))) for n in numbers)
    return finding(near, f"the largest of the eight: {said(worst, 3)}", worst)


def _bars(found: Measured) -> Figure:
    groups: dict[str, dict[str, object]] = {}
    for kind, published in (("uniform", UNIFORM), ("normal", NORMAL)):
        groups[f"{kind}, here"] = {NAMES[n]: tuple(found[f"{kind}/{n}"]) for n in NAMES}
        groups[f"{kind}, paper"] = {NAMES[n]: published[n] for n in NAMES}
    return bars(groups, "Two masks of noise, 299 x 299", "similarity")


EXPERIMENTS = (
    Experiment("sanity-metrics", metrics, minutes=(0.02, 0.02)),
    Experiment("sanity-noise-masks", masks, minutes=(0.1, 0.35)),
)

MAPS = (
    "Four pairs of signed 48 x 48 maps with ties and a corner of zeros, float64; the slow version counts pixel by pixel"
)


def _metric(id: str, says: str, name: str) -> Claim:
    return Claim(id, says, "section 2.2", f"{MAPS}.", same(name), "sanity-metrics", published="exact")


CLAIMS = (
    _metric(
        "S1-Met-spearman",
        "heatproof's Spearman without absolute values (diverging) is the rank correlation, ties and all.",
        "spearman",
    ),
    _metric(
        "S1-Met-spearman-abs",
        "heatproof's Spearman with absolute values is the rank correlation of magnitudes.",
        "spearman_abs",
    ),
    _metric("S1-Met-ssim", "heatproof's SSIM is the structural similarity index with a window of 5.", "ssim"),
    _metric(
        "S1-Met-hog",
        "heatproof's HOG is the Pearson correlation of histograms of oriented gradients, 16 x 16 pixels a cell.",
        "hog",
    ),
    Claim(
        "S1-Met-sign", "SSIM and HOG, taken without absolute values, tell a map from its negative.", "section 2.2",
        "16 maps and their negatives: a similarity that sees signs stays below .5.", _negation, "sanity-metrics",
        published="\"without absolute values\"",
        why="The paper says no more than that; that signs then count is our reading. They do for SSIM; the orientations of "
        "HOG have no sign, so that a map and its negative have the same histograms.",
    ),
    Claim(
        "S1-Met-range", "The data range of 2 that the code leaves to its library lifts the SSIM of maps in [0, 1].",
        "code (scikit-image 0.15)", "Eight pairs of heavy-tailed noise maps in [0, 1]: SSIM with data range 1 and with 2, "
        "in the paper's uniform windows of 5 x 5 (the code has Gaussian ones of 11 x 11).", _range, "sanity-metrics",
        published="not named", why="A data range of 2 makes the stabilising constants four times as large, which lifts the "
        "SSIM of flat maps.",
    ),
    Claim(
        "S1-Vis", "ABS: maps are drawn by the absolute values of a normalised map.", "section 2.2",
        "Brightness of heatproof's view over the magnitudes of a map of 24 x 24.", _absolute, "sanity-metrics",
        why="Scaled by the 99.5th percentile of the magnitudes, not by the maximum, so that one pixel does not darken all.",
    ),
    Claim(
        "S1-Vis-diverging", "Diverging: different colours show positive and negative importance.", "section 2.2",
        "Sign of red minus blue in heatproof's view at every pixel of a map of 24 x 24; zero is white.", _diverging,
        "sanity-metrics",
    ),
    Claim(
        "S1-Vis-zero", "The code's diverging view leaves zero at zero.", "code (PAIR saliency 0.0.4)",
        "Its formula on six values.", _zero, "sanity-metrics", published="0",
        why="(m + span) / (2 span) moves zero to .5, and clips the negative side below -3 spans only.", error=True,
    ),
    Claim(
        "S1-B-calib-uniform", "Two uniform masks: Spearman .00016, absolute -.0015, HOG .078, SSIM .00076.", "appendix B",
        "Pairs of uniform masks in [-1, 1], 299 x 299 (50, in full 200); SSIM with windows of 5 and data range 2. Each "
        "mean as near to the published one of 50 pairs as chance allows (95 % for all four: 98.7 % each).",
        _masks("uniform", UNIFORM), "sanity-noise-masks", published="(.00016, -.0015, .078, .00076)",
        why="Independent masks have an absolute Spearman of 0 in the mean, and the published -.0015 is three standard "
        "errors of 50 pairs from it; the published SSIM is above ours. Causes not known.",
    ),
    Claim(
        "S1-B-calib-normal", "Two Gaussian masks in [-1, 1]: Spearman .00018, absolute .00043, HOG -.0013, SSIM .00023.",
        "appendix B", "As for uniform masks, normal ones divided by their largest magnitude.", _masks("normal", NORMAL),
        "sanity-noise-masks", published="(.00018, .00043, -.0013, .00023)",
        why="Dividing by the largest of 89,401 values leaves a standard deviation near .22; SSIM of such masks hangs on "
        "its stabilising constants (data range), which the paper does not give. HOG of two masks of noise is not 0 in the "
        "mean, for normal ones as for uniform ones.",
    ),
    Claim(
        "S1-B-calib", "Masks of noise have similarities near zero, so that high values mean something.", "appendix B",
        "All eight similarities of the two kinds of masks, between -.1 and .1.", _calibrated, "sanity-noise-masks",
        published="at most .078",
    ),
)  # fmt: skip

PICTURES = (
    Picture(
        "What the similarities say of noise", "", "sanity-noise-masks", _bars,
        ("S1-B-calib", "S1-B-calib-uniform", "S1-B-calib-normal"),
    ),
)  # fmt: skip
