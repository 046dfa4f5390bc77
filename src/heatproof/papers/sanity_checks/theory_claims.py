"""Claims of section 5.3: saliency maps of two models that are simple enough to know the answer."""

from __future__ import annotations

from matplotlib.figure import Figure

from ...plots.plates import photo_of, picture_of, tiles
from ..judge import above, below, every, finding, plain, said, within
from ..types import Claim, Experiment, Finding, Measured, Picture
from .theory import FIGURE, linear, riemann, sum_pool

EXACT = 1e-9
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
    differences = [found[f"more/{n}"] for n in FIGURE]
    text = "; ".join(
        f"{NAMES[n]} {said(found[f'edges/{n}'])}, {said(d)} above another photo's edges"
        for n, d in zip(FIGURE, differences, strict=True)
    )
    held = every(above(d, 0.0) for d in differences)
    return finding(held, f"absolute rank correlation with the photo's own edges: {text}", differences[0])


def _figure(found: Measured) -> Figure:
    rows, names = [], []
    for photo in range(len(found.arrays["photos"])):
        for k in range(len(found.arrays["filters"])):
            x, edges = (found.arrays[n][photo].numpy() for n in ("photos", "edges"))
            maps = [picture_of(found.arrays[f"{k}/{n}"][photo].numpy(), "diverging") for n in ("closed", *FIGURE)]
            rows.append([photo_of(x), picture_of(edges), *maps])
            names.append(("sum near 0", "other sum")[k])
    columns = ("photo", "edges", "closed form", "gradient", "SmoothGrad", "integrated", "guided backprop")
    return tiles(
        rows,
        names,
        columns,
        "One random filter, ReLU, sum over places: weights that sum to nearly 0, and others",
    )


EXPERIMENTS = (
    Experiment("sanity-linear", linear, minutes=(0.03, 0.03)),
    Experiment("sanity-riemann", riemann, minutes=(0.02, 0.02)),
    Experiment("sanity-sum-pool", sum_pool, minutes=(0.2, 0.45), data=("photos",), reduced="20 filters on 20 photos"),
)

LINEAR = "64 images of 12 x 12 pixels, linear models of normal weights with a class for each image, float64"
CONV = "Networks of one random normal 3x3 filter, ReLU and a sum over places, on grey photos of 112 px, float64"

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
        "the image, each within .05 of 0 or with 0 in its interval.", _white_noise, "sanity-linear",
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
        why="The code gives both ends of the way full weight where each is worth half a step: with 50 points 1 % of the "
        "step at the end nearest the image goes to the wrong side.", error=True,
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
        "detectors.", "section 5.3, figure 7", f"{CONV}: absolute rank correlation of a map, less its median (the value "
        "of even regions), with the Sobel edges of its photo, above that with the edges of another photo.",
        _edge_detectors, "sanity-sum-pool", published="act like edge detectors",
    ),
    Claim(
        "S4-Fig26", "Saliency maps of a one-layer convolutional sum model look like edges.", "older appendix, figure 26",
        "As S1-Fig7.", _edge_detectors, "sanity-sum-pool", published="like edges",
    ),
)  # fmt: skip

PICTURES = (
    Picture(
        "A single random filter is enough for maps that look like edges", "figure 7", "sanity-sum-pool", _figure,
        ("S1-Fig7", "S1-5.3-conv", "S1-5.3-conv-even", "S4-Fig26"), photos=True,
    ),
)  # fmt: skip
