"""Claims of section 5.3: saliency maps of two models that are simple enough to know the answer."""

from __future__ import annotations

from ..judge import above, below, every, finding, plain, said, within
from ..types import Claim, Experiment, Finding, Measured, Picture
from .theory import FIGURE, linear, riemann, sum_pool
from .theory_pictures import figure7

EXACT = 1e-9
TOLD = 0.7
"""Area under the ROC curve from which the strength of edges tells where maps are not even."""
NAMES = {
    "gradient": "gradient",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "integrated gradients",
    "guided_backprop": "guided backprop",
}


def _linear_gradient(found: Measured) -> Finding:
    gaps = [found[n] for n in ("gradient", "smoothgrad")]
    text = f"largest difference from w: gradient {plain(gaps[0].value)}, SmoothGrad {plain(gaps[1].value)}"
    return finding(every(below(gap, EXACT) for gap in gaps), text, max(gaps, key=lambda n: n.value))


def _linear_half(found: Measured) -> Finding:
    text = (
        f"largest difference from x w / 2: {plain(found.value('half'))} of its maximum, from x w: "
        f"{plain(found.value('integrated_gradients'))}; the map's sum is {plain(found.value('complete'), 3)} of the change "
        f"of the logit, that of x w / 2 is {plain(found.value('half/complete'), 3)}"
    )
    return finding(below(found["half"], EXACT), text, found["half"])


def _linear_product(found: Measured) -> Finding:
    worst = max((found[n] for n in ("integrated_gradients", "gradient_x_input")), key=lambda n: n.value)
    text = f"largest difference from x w of either: {plain(worst.value)} of the largest weight"
    return finding(below(worst, EXACT), text, worst)


def _undefined(found: Measured) -> Finding:
    names = {"guided backprop": "raises/guided_backprop", "GradCAM": "raises/gradcam"}
    held = every(found.value(n) == 1 for n in names.values())
    said_ = "; ".join(f"{n} {'refuses' if found.value(k) == 1 else 'gives a map'}" for n, k in names.items())
    return finding(held, said_)


def _white_noise(found: Measured) -> Finding:
    names = {"another network's": "networks", "the pixel to its right": "neighbours", "the image (absolute)": "input"}
    numbers = [found[f"spearman/{n}"] for n in names.values()]
    text = "; ".join(f"{n} {said(number)}" for n, number in zip(names, numbers, strict=True))
    held = every(within(number, 0.0, 0.05) for number in numbers)
    return finding(held, f"rank correlation of the gradient with {text}", numbers[0])


def _noisy_input(found: Measured) -> Finding:
    size, sign = found["spearman/ig/input"], found["spearman/ig/signed"]
    text = f"rank correlation with the image: absolute {said(size)}, signed {said(sign)}"
    return finding(every((above(size, 0.5), within(sign, 0.0, 0.05))), text, size)


def _riemann(found: Measured) -> Finding:
    pair, middle = ((found.value(f"{n}/1"), found.value(f"{n}/2")) for n in ("pair", "midpoint"))
    text = (
        f"({plain(pair[0])}, {plain(pair[1])}) by the code's sum of 50 gradients, ({plain(middle[0])}, "
        f"{plain(middle[1])}) by the middles of 48 steps; exact: (10, 6)"
    )
    held = every((within(found["pair/1"], 10, 1e-6), within(found["pair/2"], 6, 1e-6)))
    return finding(held, text, found["pair/1"])


def _closed_form(found: Measured) -> Finding:
    names = ("gap/printed", "gap/gradient", "gap/slow")
    worst = max((found[n] for n in names), key=lambda n: n.value)
    text = (
        f"largest difference {plain(worst.value)} of the map's maximum with the index that fits the operation; with the "
        f"printed index on PyTorch's conv2d {said(found['index'])}"
    )
    return finding(every(below(found[n], EXACT) for n in names), text, worst)


def _black(found: Measured) -> Finding:
    here, printed = found["black"], found["black/printed"]
    text = f"{plain(here.value)} of the filter's sum by autograd, {plain(printed.value)} by the printed formula"
    return finding(within(here, 1.0, EXACT), text, here)


def _even(found: Measured) -> Finding:
    gap = found["gap/flat"]
    text = (
        f"a share of {said(found['flat'])} of the pixels lies amid nine equal activations; there the gradient is 0 "
        f"or the sum of the filter, to within {plain(gap.value)} of its largest weight"
    )
    return finding(below(gap, EXACT), text, gap)


def _edge_detectors(found: Measured) -> Finding:
    own, more = found["pattern"], found["pattern-more"]
    ranks = "; ".join(
        f"{NAMES[n]} {said(found[f'edges/{n}'])}, {said(found[f'more/{n}'])} above another photo's edges"
        for n in FIGURE
    )
    text = (
        f"area under the curve {said(own)}, {said(more)} above another photo's edges; absolute rank correlation of maps "
        f"with edges: {ranks}"
    )
    exact = every(below(found[f"gap/{n}"], EXACT) for n in FIGURE if n != "smoothgrad")
    above_other = every(above(found[f"more/{n}"], 0.0) for n in FIGURE)
    return finding(every((above(own, TOLD), above(more, 0.0), above_other, exact)), text, own)


EXPERIMENTS = (
    Experiment("sanity-linear", linear, minutes=(0.03, 0.03)),
    Experiment("sanity-riemann", riemann, minutes=(0.02, 0.02)),
    Experiment(
        "sanity-sum-pool", sum_pool, minutes=(0.2, 0.5), data=("photos",), reduced="20 filters, 20 photos (not 50)"
    ),
)

LINEAR = "64 images of 12 x 12 pixels, linear models of normal weights with a class for each image, float64"
CONV = "Networks of one random normal 3x3 filter, ReLU and a sum over places, on grey photos of 112 px, float64"
FLAT = (
    "The paper shows pictures; .7 is our limit. Rank correlations are low whatever the picture shows: most pixels lie in "
    "even regions, which tie or follow the image."
)

CLAIMS = (
    Claim(
        "S1-5.3-lin", "On a linear model gradient and SmoothGrad are the weights w.", "section 5.3", f"{LINEAR}.",
        _linear_gradient, "sanity-linear", published="w",
    ),
    Claim(
        "S1-5.3-lin-product", "On a linear model integrated gradients reduce to gradient x input.", "section 5.3",
        f"{LINEAR}; baseline 0.", _linear_product, "sanity-linear", published="exact",
    ),
    Claim(
        "S1-5.3-lin-half", "On a linear model integrated gradients are (x - baseline) w / 2.", "section 5.3",
        f"{LINEAR}; baseline 0.", _linear_half, "sanity-linear", published="(x - baseline) w / 2",
        why="A slip of the paper: the gradient on the way is w and not w alpha, so the map is (x - baseline) w; half of it "
        "would explain half of the logit.", error=True,
    ),
    Claim(
        "S1-5.3-lin-undefined", "Guided backprop and GradCAM are not defined for a linear model.", "section 5.3",
        f"{LINEAR}; each method is asked for a map.", _undefined, "sanity-linear", published="not defined",
    ),
    Claim(
        "S1-5.3-lin-noise", "Gradients of a random linear model are an image of white noise.", "section 5.3",
        f"{LINEAR}: rank correlations of the gradient with that of another network, with itself one pixel on, and with "
        "the image, each within .05 of 0.", _white_noise, "sanity-linear",
        published="white noise",
    ),
    Claim(
        "S1-5.3-lin-input", "Integrated gradients of a random linear model are a noisy version of the image.",
        "section 5.3", f"{LINEAR} in [0, 1]: rank correlation of the map with the image, absolute above .5 and signed 0.",
        _noisy_input, "sanity-linear", published="a noisy version of the input",
    ),
    Claim(
        "S1-A.5-sum", "The code's sum of 50 gradients, both ends in full, is the integral of integrated gradients.",
        "code (PAIR saliency 0.0.4)", "Example 1 of the FullGrad paper at (4, 4), whose integral is exactly (10, 6).",
        _riemann, "sanity-riemann", published="(10, 6)",
        why="Of 50 points from 0 to 1 with both ends, 13 (26 %) lie in the first quarter of the way, nearest the baseline, "
        "where the gradient is (1, 3): the sum is (9.92, 6.08).", error=True,
    ),
    Claim(
        "S1-5.3-conv", "The gradient of the sum-pool network is the sum of the filter over the activations around a pixel.",
        "section 5.3", f"{CONV}: autograd beside the printed formula for a true convolution, and with its index turned "
        "round for conv2d, also pixel by pixel.", _closed_form, "sanity-sum-pool",
        published="sum over k, l of a_(i+k, j+l) w_kl",
        why="The printed index is that of a true convolution; conv2d of deep-learning libraries is a correlation, whose "
        "gradient has a_(i-k, j-l).",
    ),
    Claim(
        "S1-5.3-conv-zero", "On black places, where the filter gives 0, the activation counts: the gradient is the "
        "filter's sum.", "section 5.3", f"{CONV}, on a black image.", _black, "sanity-sum-pool",
        published="a = 1 where (w * x) >= 0",
        why="A convention: PyTorch's derivative of ReLU at 0 is 0, the paper's is 1; it decides on black backgrounds only.",
    ),
    Claim(
        "S1-5.3-conv-even", "Where activations are uniform the gradient is the same everywhere: only edges show.",
        "section 5.3", f"{CONV}: the gradient at every pixel amid nine equal activations.", _even, "sanity-sum-pool",
        published="the same value",
    ),
    Claim(
        "S1-Fig7", "On the sum-pool network gradient, SmoothGrad, integrated gradients and guided backprop act like edge "
        "detectors.", "section 5.3, figure 7", f"{CONV}. As the paper argues: the strength of Sobel edges tells the pixels "
        "where the nine activations around are not all alike (area under the ROC curve above .7, and above that of another "
        "photo's edges); each map but SmoothGrad's is its closed form in those activations; and the absolute rank "
        "correlation of each map, less its median, with the edges is above that with another photo's.",
        _edge_detectors, "sanity-sum-pool", published="act like edge detectors", why=FLAT,
    ),
    Claim(
        "S4-Fig26", "Saliency maps of a one-layer convolutional sum model look like edges.", "older appendix, figure 26",
        "As S1-Fig7.", _edge_detectors, "sanity-sum-pool", published="like edges", why=FLAT,
    ),
)  # fmt: skip

PICTURES = (
    Picture(
        "A single random filter is enough for maps that look like edges", "figure 7", "sanity-sum-pool", figure7,
        ("S1-Fig7", "S1-5.3-conv", "S1-5.3-conv-even", "S4-Fig26"), photos=True,
    ),
)  # fmt: skip
