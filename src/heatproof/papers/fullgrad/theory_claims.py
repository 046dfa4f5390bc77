"""Claims of sections 3 and 4.1: examples, definitions, the impossibility of both properties."""

from __future__ import annotations

from matplotlib.figure import Figure

from ...plots.plates import Series, curves
from ...theory.two_pieces import two_pieces_attribution
from ..judge import above, below, every, finding, plain, within
from ..types import Claim, Experiment, Finding, Measured, Number, Picture
from .definitions import GLOBAL, definitions
from .theory import LOCAL, POINTS, examples

EXACT = 1e-9
"""Largest relative error of what is exact, in float64."""
LIMITS = {"integrated gradients": 0.01, "DeepLIFT": EXACT}
"""The same of complete methods; the integral is a sum of 2,000 points."""


def _example_1(found: Measured) -> Finding:
    pairs = {t: [found[f"ig/{t:g}/{i}"] for i in (1, 2)] for t in POINTS}
    held = every(
        within(number, expected, EXACT)
        for t in POINTS
        for number, expected in zip(pairs[t], two_pieces_attribution(t), strict=True)
    )
    shown = "; ".join(f"at ({t:g}, {t:g}): ({a.value:.4g}, {b.value:.4g})" for t, (a, b) in pairs.items())
    return finding(held, f"integrated gradients {shown}", found["ig/error"])


def _saturation(found: Measured) -> Finding:
    expected = {"f": 1.0, "a": 1.0, "b": 0.0}
    answers = [within(found[f"saturation/2/{k}"], value, EXACT) for k, value in expected.items()]
    answers += [within(found["saturation/input"], 0.0, EXACT), below(found["saturation/error"], EXACT)]
    a, b = (found.value(f"saturation/2/{k}") for k in "ab")
    return finding(every(answers), f"shares of the biases (a, b) at x = 2: ({a:g}, {b:g}); of the input: "
                   f"{found.value('saturation/input'):g}", found["saturation/error"])  # fmt: skip


def _example_2(found: Measured) -> Finding:
    still = every(below(found[f"{b}/{name}"], EXACT) for b in ("b0", "b1") for name in LOCAL)
    moved = every(above(found[f"{b}/full gradient"], EXACT) for b in ("b0", "b1"))
    change = ", ".join(f"{b}: output {found.value(f'{b}/output'):g}, full gradient {found.value(f'{b}/full gradient'):g}"
                       for b in ("b1", "b0"))  # fmt: skip
    largest = max(found.value(f"{b}/{name}") for b in ("b0", "b1") for name in LOCAL)
    return finding(every([still, moved]), f"change of {', '.join(LOCAL)}: at most {largest:g}; change by {change}",
                   Number(largest))  # fmt: skip


def _iff(found: Measured) -> Finding:
    f, g = found["iff/f"], found["iff/G"]
    only_g = every([within(f, 0, EXACT), above(g, EXACT)])
    text = f"df/dw0 = {f.value:g} and max |dG/dw0| = {g.value:g}"
    return finding(None if only_g is None else not only_g, text, g)


def _forward(found: Measured) -> Finding:
    count = found["parameters/f only"]
    return finding(within(count, 0, 0), f"parameters that change f and not G: {count.value:g}", count)


def _weak(found: Measured) -> Finding:
    held = every(below(found[f"within/{name}"], EXACT) for name in LOCAL)
    shown = ", ".join(f"{name} {plain(found.value(f'within/{name}'))}" for name in LOCAL)
    return finding(held, f"largest relative change inside a linear region: {shown}", found["within/gradient"])


def _complete(found: Measured) -> Finding:
    held = every(below(found[f"completeness/{name}"], limit) for name, limit in LIMITS.items())
    shown = ", ".join(f"{name} {plain(found.value(f'completeness/{name}'), 3)}" for name in LIMITS)
    local = plain(min(found.value(f"least/completeness/{name}") for name in LOCAL))
    said = f"sum of the map misses f(x) - f(0) by at most (relative): {shown}; weakly dependent methods by at least {local}"
    return finding(held, said, found["completeness/integrated gradients"])


def _witness(found: Measured) -> Finding:
    same = every(below(found[f"shifted/{name}"], EXACT) for name in LOCAL)
    other = above(found["least/shifted/output"], EXACT)
    largest = max(found.value(f"shifted/{name}") for name in LOCAL)
    said = f"f differs by {found.value('least/shifted/output'):g}, the maps of {', '.join(LOCAL)} by {largest:g}"
    return finding(every([same, other]), said, Number(largest))


def _global_depends(found: Measured) -> Finding:
    held = every(above(found[f"least/within/{name}"], EXACT) for name in GLOBAL)
    shown = ", ".join(f"{name} {plain(found.value(f'least/within/{name}'), 4)}" for name in GLOBAL)
    step = plain(found.value("least/step"), 4)
    return finding(held, f"least relative change inside a linear region: {shown} (step of {step} or more)",
                   found["least/within/DeepLIFT"])  # fmt: skip


def _both(found: Measured) -> Finding:
    names = "within/full gradient", "completeness/full gradient"
    within_region, missed = (found.value(name) for name in names)
    held = every(below(found[name], EXACT) for name in names)
    return finding(held, f"relative change inside a linear region {plain(within_region)}, error of the sum {plain(missed)}",
                   found[names[0]])  # fmt: skip


def _pieces(found: Measured) -> Figure:
    series = {f"x{i}": Series(POINTS, [found.value(f"ig/{t:g}/{i}") for t in POINTS]) for i in (1, 2)}
    return curves(
        series, x_label="t; the gradient is (3, 1) at every t over 1", y_label="integrated gradients at (t, t)"
    )


EXPERIMENTS = (
    Experiment("fullgrad-examples", examples, minutes=(0.02, 0.02)),
    Experiment("fullgrad-definitions", definitions, minutes=(0.03, 0.03)),
)
_RANDOM = "Three random ReLU networks (two convolutions, a linear layer, float64)"

CLAIMS = (
    Claim(
        "S2-Def1", "Input-gradients, guided backprop and deconvnet depend weakly on the input: their maps are constant "
        "inside a linear region.", "section 3, definition 1", f"{_RANDOM}; two images with the same ReLU pattern each.",
        _weak, "fullgrad-definitions", published="satisfy weak dependence",
    ),
    Claim(
        "S2-Def2", "Integrated gradients and DeepLIFT are complete: their maps sum to f(x) - f(baseline).",
        "section 3, definition 2", f"{_RANDOM}; baseline 0, 2,000 midpoints for the integral.",
        _complete, "fullgrad-definitions", published="complete",
        why="Deep Taylor decomposition, which the paper names too, was not measured.",
    ),
    Claim(
        "S2-Prop1", "The weakly dependent maps in use are not complete.", "section 3, proposition 1",
        f"{_RANDOM} f, and f + 1: another function with the same slopes, whose weakly dependent maps must be told apart.",
        _witness, "fullgrad-definitions", published="impossible",
        why="A witness for three methods. Definition 1 lets a map depend on b, and w and b packed into one number would "
        "satisfy both: the proposition needs maps that are continuous in w and b.",
    ),
    Claim(
        "S2-Prop1-complete", "Methods that are complete do not depend weakly on the input.",
        "section 3, below proposition 1",
        f"{_RANDOM}; integrated gradients and DeepLIFT at two images with the same ReLU pattern.",
        _global_depends, "fullgrad-definitions", published="do not satisfy weak dependence",
    ),
    Claim(
        "S2-Ex1", "Integrated gradients of one linear piece rank its two inputs differently from point to point.",
        "section 3, example 1", "The function of the example at its three points; 12 midpoints, aligned with the kink.",
        _example_1, "fullgrad-examples", published="(10, 6) at (4, 4); (4, 4) at (2, 2); (2.5, 3.5) at (1.5, 1.5)",
        why="The function is continuous on the diagonal alone, so only the printed points are measured.",
    ),
    Claim(
        "S2-Sat", "Where a - ReLU(b - x) is saturated, the input gets 0 and the biases (a, b) get (1, 0).",
        "section 4.1, saturation sensitivity",
        "The network with a = b = 1 at x = 2; also x = .5 and 0 against the closed form.",
        _saturation, "fullgrad-examples", published="(1, 0)",
    ),
    Claim(
        "S2-Ex2", "Input-gradient methods do not see b1, nor small changes of b0; full gradients see both.",
        "section 4.1, example 2", "w1 ReLU(w0 x + b0) + b1 with (2, 1, 3, -1) at x = 1; b1 + 100, b0 + 0.5.",
        _example_2, "fullgrad-examples", published="insensitive",
    ),
    Claim(
        "S2-Ex2-iff", "A parameter has dG/dtheta = 0 if and only if df/dtheta = 0.", "section 4.1, below example 2",
        "Example 2 at x = 0, parameter w0, by central differences.", _iff, "fullgrad-examples", published="if and only if",
        why="False in one direction: at x = 0 the output does not depend on w0, and the input-gradient w1 w0 does.",
        error=True,
    ),
    Claim(
        "S2-Ex2-only", "A parameter that does not change the full gradient does not change the output.",
        "section 4.1, below example 2", f"{_RANDOM}; every seventh parameter moved by .001.", _forward,
        "fullgrad-definitions", published="dG/dtheta = 0 implies df/dtheta = 0",
    ),
    Claim(
        "S2-WD", "Full gradients depend weakly on the input and are complete, both at once.", "section 4.1",
        f"{_RANDOM}; input-gradient and all bias-gradients at two images with the same ReLU pattern, and their sum.", _both,
        "fullgrad-definitions", published="satisfy both",
    ),
)  # fmt: skip

PICTURES = (
    Picture("Example 1: integrated gradients inside one linear piece", "", "fullgrad-examples", _pieces, ("S2-Ex1",)),
)
