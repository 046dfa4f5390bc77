"""Claims of section 5.2: the input dominates its product with a gradient."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from ...plots.plates import Series, curves, photo_of, picture_of, tiles
from ..judge import above, every, finding, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .products import AROUND, KINDS, LEVELS, POSITIVE, SETS, growing_noise, growing_noise_fashion, random_gradients

HALF = 0.5
"""The input dominates where a similarity is above this."""
NAMES = {"spearman": "Spearman, signed", "spearman_abs": "Spearman, absolute", "ssim": "SSIM", "hog": "HOG"}


def products(
    metric: str, pair: str = "product", sets: tuple[str, ...] = SETS, kinds: tuple[str, ...] = KINDS
) -> Callable[[Measured], Finding]:
    """A judge: above one half for all distributions on the data sets."""

    def judge(found: Measured) -> Finding:
        numbers = {(s, k): found[f"{s}/{k}/{pair}/{metric}"] for s in sets for k in kinds}
        text = "; ".join(f"{s}, {k} {said(number)}" for (s, k), number in numbers.items())
        if metric == "spearman_abs" and SETS[0] in sets:
            text += f"; {_zeros(found, pair)}"
        return finding(every(above(n, HALF) for n in numbers.values()), text, min(numbers.values()))

    return judge


def _zeros(found: Measured, pair: str) -> str:
    support = [said(found[f"{SETS[0]}/{k}/{pair}/support"]) for k in KINDS]
    return (
        f"on Fashion-MNIST shared zeros alone give {said(found['Fashion-MNIST/null'])}, and the pairs have "
        f"{', '.join(support)} where they are not 0"
    )


def swept(found: Measured) -> Finding:
    """A judge: the product stays alike where the noise is ten times the gradient."""
    last, gradients = (found[f"{part}/{LEVELS[-1]:g}/spearman_abs"] for part in ("product", "gradient"))
    first = found[f"product/{LEVELS[3]:g}/spearman_abs"]
    text = (
        f"absolute Spearman of the products {said(first)} at noise {LEVELS[3]:g}, {said(last)} at {LEVELS[-1]:g}, where "
        f"the gradients themselves have {said(gradients)}"
    )
    return finding(above(last, HALF), text, last)


def _tiles(found: Measured) -> Figure:
    rows = []
    for name in SETS:
        x, u, xu, xv = (found.arrays[f"{name}/{part}"][0].numpy() for part in ("x", "u", "xu", "xv"))
        rows.append([photo_of(x), picture_of(u, "diverging"), *(picture_of(p, "diverging") for p in (xu, xv)),
                     *(picture_of(abs(p)) for p in (xu, xv))])  # fmt: skip
    columns = ("image x", "noise u", "x * u", "x * v", "|x * u|", "|x * v|")
    return tiles(rows, SETS, columns, "The input times two random gradients, in colours of sign and as magnitudes")


def _sweep(found: Measured) -> Figure:
    series = {}
    for part, what in (("product", "x * gradient"), ("gradient", "gradient alone")):
        for metric in ("spearman_abs", "spearman"):
            numbers = [found[f"{part}/{level:g}/{metric}"] for level in LEVELS]
            series[f"{what}, {NAMES[metric]}"] = Series.of(range(len(LEVELS)), numbers)
    label = "noise, in standard deviations of the gradient"
    return curves(series, "Two noisy gradients and their products with the image", label, "similarity",
                  [f"{level:g}" for level in LEVELS])  # fmt: skip


EXPERIMENTS = (
    Experiment("sanity-products", random_gradients, minutes=(0.05, 0.5), data=("FashionMNIST", "photos"),
               reduced="100 photos, 200 images of Fashion-MNIST"),
    Experiment("sanity-products-noise", growing_noise, minutes=(0.1, 0.8), reduced="100 photos",
               data=("photos", "mobilenet_v2_int8dq")),
    Experiment("sanity-products-fashion", growing_noise_fashion, minutes=(None, 0.05), networks=("fashion-cnn",),
               data=("FashionMNIST",), reduced="200 images"),
)  # fmt: skip

PROTOCOL = (
    "x * u beside x * v, u and v independent noise ({}), on Fashion-MNIST and on photos in the units of the networks; "
    "dominated: above .5 for every kind of noise."
)
SURROGATE = 'The paper shows pictures and curves without numbers; above one half is our reading of "dominates".'


def _claim(
    id: str, metric: str, why: str = SURROGATE, sets: tuple[str, ...] = SETS, kinds: tuple[str, ...] = KINDS
) -> Claim:
    where = "" if len(sets) > 1 else f" on {sets[0]}"
    sign = "" if kinds is KINDS else ", positive" if POSITIVE in kinds else " around 0"
    return Claim(
        id, f"The input dominates its product with a random gradient{sign}{where} ({NAMES[metric]}).",
        "section 5.2, figure 19", PROTOCOL.format(", ".join(kinds)), products(metric, "product", sets, kinds),
        "sanity-products", "the input dominates", why,
    )  # fmt: skip


NO_ZEROS = "Photos in the units of the network have no zeros that both products share; what is left is contrast."
SIGNS = "Noise around 0 gives every pixel of the product a random sign, so that nothing is left for {}"
RANGE = "The paper gives no range of its uniform vectors. In [0, 1] the product keeps the signs of the input."
HOG = "HOG does not see signs, but where magnitudes change."
CLAIMS = (
    _claim("S1-5.2", "spearman_abs", sets=SETS[:1]),
    _claim("S1-5.2-photos", "spearman_abs", f"{SURROGATE} {NO_ZEROS}", SETS[1:]),
    _claim("S1-5.2-signed", "spearman", SIGNS.format("a similarity that sees signs."), kinds=AROUND),
    _claim("S1-5.2-signed-positive", "spearman", RANGE, kinds=(POSITIVE,)),
    _claim("S1-5.2-ssim", "ssim", SIGNS.format("SSIM but the windows of zeros."), kinds=AROUND),
    _claim("S1-5.2-ssim-positive", "ssim", RANGE, SETS[:1], (POSITIVE,)),
    _claim("S1-5.2-ssim-positive-photos", "ssim", RANGE, SETS[1:], (POSITIVE,)),
    _claim("S1-5.2-hog", "hog", HOG, SETS[:1]),
    _claim("S1-5.2-hog-photos", "hog", HOG, SETS[1:]),
    Claim(
        "S1-5.2-input", "The product with a noisy gradient mostly returns the input.", "section 5.2",
        "Absolute rank correlation of x * u with x, above .5 for every kind of noise on both data sets.",
        products("spearman_abs", "input"), "sanity-products", published="mostly return the input",
    ),
    Claim(
        "S1-5.2-noise", "The dominance persists as the gradients change drastically.", "section 5.2, figure 19",
        "Photos, MobileNetV2: x * (g + s n) beside x * (g + s n'), g the real gradient, s up to ten of its standard "
        "deviations; above .5 at the last.", swept, "sanity-products-noise", published="persists",
        why="No rank sees the scale of pure noise, so \"as noise increases\" is read as noise on the real gradient.",
    ),
    Claim(
        "S1-5.2-noise-fashion", "The dominance persists as the gradients change drastically, on Fashion-MNIST.",
        "section 5.2, figure 19", "As S1-5.2-noise, with the paper's CNN trained on Fashion-MNIST.", swept,
        "sanity-products-fashion", published="persists",
    ),
    Claim(
        "S4-Fig10", "The input times a random gradient looks like the input.", "older appendix, figure 10",
        "As S1-5.2-input.", products("spearman_abs", "input"), "sanity-products", published="picture only",
    ),
)  # fmt: skip

PICTURES = (
    Picture(
        "The input dominates its product with noise", "figure 19", "sanity-products", _tiles,
        ("S1-5.2", "S1-5.2-signed", "S1-5.2-input", "S4-Fig10"), photos=True,
    ),
    Picture(
        "Noise on the gradient, seen through the product", "figure 19", "sanity-products-noise", _sweep, ("S1-5.2-noise",)
    ),
)  # fmt: skip
