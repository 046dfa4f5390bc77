"""Claims of sections 4.1 and 4.2 and of the listings: what RectGrad is, exactly, and where its promises end."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..judge import every, finding, plain, within
from ..types import Claim, Experiment, Finding, Measured, Number
from .theory import SETTINGS, definition, equivalences
from .theory_rules import SCALES, SIZES, limits

EXACT = 1e-9
CONVOLUTIONAL = (
    "Four random networks (2 convolutions, max pooling, 2 linear layers), 3 images each, float64: greatest difference "
)


def _equal(*names: str) -> Callable[[Measured], Finding]:
    """Nothing differs by more than rounding."""

    def judge(found: Measured) -> Finding:
        worst = Number(max(found.value(name) for name in names))
        told = f"greatest difference {plain(worst.value)} of the largest value"
        return finding(every(within(found[name], 0, EXACT) for name in names), told, worst)

    return judge


def _trick_breaks(found: Measured) -> Finding:
    without, trick = found["claim 2"], found["claim 2, padding trick"]
    told = (
        f"greatest difference {plain(trick.value)} of the largest value with the trick, {plain(without.value)} without"
    )
    return finding(within(trick, 0, EXACT), told, trick)


def _passing(percentile: str, sizes: Iterable[int]) -> Callable[[Measured], Finding]:
    """Within one unit of 2 %, and never none."""

    def judge(found: Measured) -> Finding:
        counts = {size: found.value(f"pass/{percentile}/{size}") for size in sizes}
        told = "units that pass: " + ", ".join(f"{count:.0f} of {size}" for size, count in counts.items())
        right = [count >= 1 and abs(count - 0.02 * size) <= 1 for size, count in counts.items()]
        return finding(every(right), told, Number(min(counts.values())))

    return judge


def _never_dies(found: Measured) -> Finding:
    cases = [name for name in found.numbers if name.startswith("pass/")]
    dead = [name.split("/") for name in cases if found.value(name) == 0]
    layers = "; ".join(f"{what if not what.isdigit() else what + ' units'} ({how})" for _, how, what in dead)
    told = f"no unit passes in {len(dead)} of {len(cases)} layers: {layers}"
    return finding(not dead, told, Number(float(len(dead))))


def _keeps(found: Measured) -> Finding:
    kept = {scale: found[f"kept/{scale:g}"] for scale in SCALES}
    told = "of a gradient of 1: " + ", ".join(f"{k.value:.5f} for activations of {s:g}" for s, k in kept.items())
    return finding(every(within(k, 1, 1e-6) for k in kept.values()), told, kept[SCALES[-1]])


def _proportional(found: Measured) -> Finding:
    spread = found["spread/1"]
    told = f"greatest deviation from a / sum a: {plain(spread.value)}"
    return finding(within(spread, 0, EXACT), told, spread)


def _bounded(found: Measured) -> Finding:
    largest = found["largest share"]
    refused = "heatproof refuses it" if found.value("refused") else "heatproof does not refuse it"
    told = f"a gradient of 1 becomes shares of up to {largest.value:.0f}; {refused}"
    return finding(largest.value <= 1, told, largest)


EXPERIMENTS = (
    Experiment("rectgrad-definition", definition, minutes=(0.03, 0.03)),
    Experiment("rectgrad-equivalences", equivalences, minutes=(0.01, 0.01)),
    Experiment("rectgrad-limits", limits, minutes=(0.01, 0.01)),
)

PLAIN = tuple(name for name in SETTINGS if name not in ("padding trick", "PRR", "all"))

CLAIMS = (
    Claim(
        "S3-Eq",
        "RectGrad is R(l) = 1(a R > tau) R at every ReLU, tau the q-th percentile of a R in the layer, and x R where "
        "positive at the input.",
        "section 4.1, listing 1",
        CONVOLUTIONAL + "to the definition in loops over pixels, q = 0 to 98, both kinds of percentile.",
        _equal(*PLAIN),
        "rectgrad-definition",
        published="the definition",
    ),
    Claim(
        "S3-Claim1",
        "Deconvolution times input, thresholded at zero, is RectGrad by the rule (a + epsilon) R > 0.",
        "section 4.2, claim 1, appendix E.1",
        CONVOLUTIONAL + "to that rule in loops over pixels, epsilon = 1e-6.",
        _equal("claim 1"),
        "rectgrad-equivalences",
        published="equal",
    ),
    Claim(
        "S3-Claim2",
        "Guided backpropagation times input, thresholded at zero, is RectGrad with tau = 0.",
        "section 4.2, claim 2, appendix E.2",
        CONVOLUTIONAL + "between the two methods, padding trick off.",
        _equal("claim 2"),
        "rectgrad-equivalences",
        published="equal",
    ),
    Claim(
        "S3-Pad",
        "The padding trick sets the border of the gradient to zero before it goes back through a convolution that pads.",
        "appendix C.1, listing 2",
        CONVOLUTIONAL + "to loops over pixels that skip the border of each convolution's output.",
        _equal("padding trick", "all"),
        "rectgrad-definition",
        published="the definition",
    ),
    Claim(
        "S3-Pad-Claim2",
        "With the padding trick, as in figure 4, tau = 0 is still guided backpropagation times input.",
        "caption of figure 4",
        CONVOLUTIONAL + "between RectGrad (tau = 0, padding trick) and guided backpropagation times input.",
        _trick_breaks,
        "rectgrad-equivalences",
        published="equal",
        why="The trick removes what guided backpropagation sends through the border of every convolution's output, so "
        "claim 2 is true without it alone; the column of figure 4 differs near the border.",
        error=True,
    ),
    Claim(
        "S3-PRR",
        "PRR gives each unit of a pooling window R a / (average + 1e-10) over the number of units.",
        "appendix C.2, listing 3",
        CONVOLUTIONAL + "to listing 3 in loops over windows.",
        _equal("PRR", "all"),
        "rectgrad-definition",
        published="the definition",
    ),
    Claim(
        "S3-PRR-shares",
        "PRR redistributes the gradient in proportion to the activations.",
        "appendix C.2",
        "One pooling window of activations 4, 3, 2, 1: the gradient that arrives at each, beside a / sum a.",
        _proportional,
        "rectgrad-limits",
        published="in proportion",
    ),
    Claim(
        "S3-PRR-keeps",
        "PRR redistributes the gradient, so that its sum in a window stays what it was, at every size of activations.",
        "appendix C.2, listing 3",
        "The same window with activations of 1, 1e-6 and 1e-10: the sum of the gradient behind it.",
        _keeps,
        "rectgrad-limits",
        published="redistributed",
        why="The 1e-10 that listing 3 adds against division by zero is absolute: activations of its size lose part of "
        "the gradient; activations of trained networks are far larger. A limit that the paper does not deny.",
    ),
    Claim(
        "S3-PRR-signs",
        "Listing 3 may be registered for max-pooling operations as it stands.",
        "appendix D.3",
        "Listing 3 on one window of values of both signs (1, -0.999, 0.5, -0.5), as before a ReLU: its largest share of "
        "a gradient of 1, which a proportion cannot exceed.",
        _bounded,
        "rectgrad-limits",
        published="for max pooling",
        why="Without the ReLU before the pooling the average of a window can come near zero, and listing 3 divides by "
        "it; the paper's networks pool behind ReLU, where this cannot happen: a limit of the listing.",
    ),
    Claim(
        "S3-Percentile",
        "The q-th percentile passes the most important units: 2 % of a layer at q = 98.",
        "section 4.1",
        "One layer of random positive scores, linear percentiles: units that pass, right within one unit of 2 %.",
        _passing("linear", SIZES),
        "rectgrad-limits",
        published="above the q-th percentile",
    ),
    Claim(
        "S3-Percentile-nearest",
        "Listing 1, with TensorFlow's percentile, passes 2 % of a layer at q = 98, too.",
        "listing 1",
        "The same layers with percentiles rounded to the nearest value, TensorFlow's default.",
        _passing("nearest", SIZES),
        "rectgrad-limits",
        published="the implementation",
        why="TensorFlow takes the nearest value, and in a layer of 25 units or fewer that is the largest, which is not "
        "larger than itself: no unit passes.",
        error=True,
    ),
    Claim(
        "S3-Alive",
        "Taking a percentile for tau prevents the gradient from entirely dying out.",
        "section 4.1",
        f"One layer at q = 98, both kinds of percentile: {len(SIZES)} sizes of random positive scores, scores that are "
        "negative or zero, and scores that are all equal.",
        _never_dies,
        "rectgrad-limits",
        published="prevents it",
        why="The comparison is strict: where the percentile is the largest score (small layers in listing 1, equal scores) "
        "or the silent units' zero, because all others speak against the class, no unit is over it.",
        error=True,
    ),
)

PICTURES = ()
