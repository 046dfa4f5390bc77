"""Claims of appendix B: why the gradient passes by a R, and not by its size, the activation or the gradient alone."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from ...plots.plates import bars
from ..judge import each_above, finding, said
from ..types import Claim, Experiment, Finding, Measured, Number, Picture
from .theory_rules import affine, two_layers
from .theory_units import influential_units

DEPTHS = (1, 2, 3)
SAID = {
    "pr1": "RectGrad (PR1)",
    "mod": "RectGradMod (PR1 last, PR2 before)",
    "pr3": "PR3 (activation)",
    "pr4": "PR4 (gradient)",
}


def _picks(rule: str, unit: int) -> Callable[[Measured], Finding]:
    """The unit that a rule picks in the affine example, by both kinds of percentile."""

    def judge(found: Measured) -> Finding:
        picked = [found[f"{rule}/{how}"] for how in ("linear", "nearest")]
        value = found.value(f"contribution/{unit}")
        told = f"{_one(picked[0])} by linear percentiles, {_one(picked[1])} by nearest ones"
        held = all(one.value == unit for one in picked)
        return finding(held, f"{told}; unit {unit} contributes {value:g}", picked[0])

    return judge


def _one(picked: Number) -> str:
    """The unit that passes, where one alone does."""
    return f"unit {picked.value:.0f}" if picked.value == picked.value else "several units or none"


def _two_layers(rule: str, best: Callable[[list[float]], float]) -> Callable[[Measured], Finding]:
    """Whether a rule picks the unit of the largest, or of the least contribution."""

    def judge(found: Measured) -> Finding:
        falls = [found.value(f"fall/{unit}") for unit in range(1, 5)]
        wanted = falls.index(best(falls)) + 1
        told = ", ".join(f"{fall:g}" for fall in falls)
        picked = found[rule]
        return finding(picked.value == wanted, f"{_one(picked)}; without units 1 to 4 it falls by {told}", picked)

    return judge


def _base(found: Measured) -> Finding:
    last = found[f"{DEPTHS[-1]}/pr1/recall"]
    return finding(last.value == 1, f"share of the most influential units among them {said(last)}", last)


def _induction(found: Measured) -> Finding:
    recalls = [found[f"{depth}/pr1/recall"] for depth in DEPTHS]
    told = ", ".join(f"layer {d} {said(r)}" for d, r in zip(DEPTHS, recalls, strict=True))
    held, number = each_above(recalls, 0.9)
    return finding(held, f"{told}; chance 0.02", number)


def _better(rule: str, depths: tuple[int, ...]) -> Callable[[Measured], Finding]:
    """In every layer the logit falls further without the units of PR1 than without those of another rule."""

    def judge(found: Measured) -> Finding:
        gaps = [found[f"{depth}/pr1 over {rule}"] for depth in depths]
        told = ", ".join(f"layer {d} {said(gap)}" for d, gap in zip(depths, gaps, strict=True))
        held, number = each_above(gaps, 0)
        return finding(held, f"falls further by {told}", number)

    return judge


def _least(found: Measured) -> Finding:
    gaps = [found[f"{depth}/against, mod over pr1"] for depth in DEPTHS[:-1]]
    shares = [(found[f"{d}/mod/against"], found[f"{d}/pr1/against"]) for d in DEPTHS[:-1]]
    told = "; ".join(
        f"layer {d}: RectGradMod {said(m)}, RectGrad {said(p)}" for d, (m, p) in zip(DEPTHS, shares, strict=False)
    )
    held, number = each_above(gaps, 0)
    return finding(held, f"share of the units that pass: {told}", number)


def _falls(found: Measured) -> Figure:
    rows = {f"hidden layer {depth}": depth for depth in DEPTHS}
    groups = {name: {row: found[f"{d}/{rule}/fall"] for row, d in rows.items()} for rule, name in SAID.items()}
    return bars(groups, x_label="fall of the logit without the 2 % of the units that pass")


EXPERIMENTS = (
    Experiment("rectgrad-rules", affine, minutes=(0.01, 0.01)),
    Experiment("rectgrad-two-layers", two_layers, minutes=(0.01, 0.01)),
    Experiment("rectgrad-units", influential_units, minutes=(0.15, 0.2), networks=("mnist-mlp",), data=("MNIST",)),
)

EXAMPLE = (
    "f = a1 + 10 a2 - 100 a3 + 1000 a4 at (3, 2, 1, 0), q = 74: the only unit whose gradient arrives at the input."
)
UNITS = (
    "MLP of 2500, 1500 and 500 ReLUs on MNIST, q = 98, 60 test images (full: 100). Each unit's contribution is measured: "
    "the fall of the logit when it is switched off. "
)

CLAIMS = (
    Claim("S3-B2-PR1", "PR1 picks the unit that contributes most, a2.", "appendix B.2", EXAMPLE, _picks("pr1", 2),
          "rectgrad-rules", published="a2"),
    Claim("S3-B2-PR2", "PR2 picks the unit of the largest absolute contribution, a3.", "appendix B.2", EXAMPLE,
          _picks("pr2", 3), "rectgrad-rules", published="a3"),
    Claim("S3-B2-PR3", "PR3 picks a1, which is the most active.", "appendix B.2", EXAMPLE, _picks("pr3", 1),
          "rectgrad-rules", published="a1"),
    Claim("S3-B2-PR4", "PR4 picks a4, which has the largest gradient and contributes nothing.", "appendix B.2", EXAMPLE,
          _picks("pr4", 4), "rectgrad-rules", published="a4"),
    Claim(
        "S3-B3-PR1",
        "Behind a unit that was picked already, PR1 picks the one that contributes most to the output.",
        "appendix B.3",
        "The affine example as one unit of a second layer, q = 74, beside what the output falls by without each unit.",
        _two_layers("pr1", max),
        "rectgrad-two-layers",
        published="a2",
    ),
    Claim(
        "S3-B3-PR2",
        "Behind a unit that was picked already, PR2 picks the one that contributes least to the output.",
        "appendix B.3",
        "The affine example as one unit of a second layer, q = 74, beside what the output falls by without each unit.",
        _two_layers("mod", min),
        "rectgrad-two-layers",
        published="a3",
    ),
    Claim(
        "S3-B3-base",
        "In the last hidden layer PR1 passes the most influential units.",
        "appendix B.3, base case",
        UNITS + "Share of the truly most influential ones among those that pass.",
        _base,
        "rectgrad-units",
        published="proved",
    ),
    Claim(
        "S3-B3-induction",
        "By induction PR1 passes the most influential units at all layers.",
        "appendix B.3, induction",
        UNITS + "Share of the units that pass among the truly most influential ones; over 0.9 in every layer.",
        _induction,
        "rectgrad-units",
        published="shown by induction",
        why="Equation 1 is an approximation at every step: it forgets the units that did not pass above, and that "
        "switching one off can silence or wake others.",
    ),
    Claim(
        "S3-B3-over-Mod",
        "RectGrad passes more influential units than the modified rule.",
        "appendix B.3",
        UNITS + "The fall without all units that pass, RectGrad's minus RectGradMod's, in the layers where they differ.",
        _better("mod", (1, 2)),
        "rectgrad-units",
        published="PR2 fails",
    ),
    Claim(
        "S3-B3-over-PR3",
        "PR1 passes more influential units than PR3 in a deep network.",
        "appendix B.1",
        UNITS + "The fall without all units that pass, PR1's minus PR3's, in every layer.",
        _better("pr3", DEPTHS),
        "rectgrad-units",
        published="PR3 fails",
    ),
    Claim(
        "S3-B3-over-PR4",
        "PR1 passes more influential units than PR4 in a deep network.",
        "appendix B.1",
        UNITS + "The fall without all units that pass, PR1's minus PR4's, in every layer.",
        _better("pr4", DEPTHS),
        "rectgrad-units",
        published="PR4 fails",
    ),
    Claim(
        "S3-B3-least",
        "PR2 passes the gradient through units that speak against the class, more than PR1.",
        "appendix B.3",
        UNITS + "Share of the units that pass without which the logit rises, RectGradMod's beside RectGrad's.",
        _least,
        "rectgrad-units",
        published="may be propagated through them",
    ),
)  # fmt: skip

PICTURES = (
    Picture(
        "What the units that pass are worth, by propagation rule",
        "",
        "rectgrad-units",
        _falls,
        ("S3-B3-over-Mod", "S3-B3-over-PR3", "S3-B3-over-PR4", "S3-B3-induction"),
    ),
)
