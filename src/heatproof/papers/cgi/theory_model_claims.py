"""Claims of the model of correlated random vectors (section 3.1), with figures 11 and 12."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from ...plots.plates import Series, curves
from ...theory.nulls import correlated_share
from ..judge import above, agrees, deciding, every, finding, said, within
from ..types import Claim, Experiment, Finding, Measured, Picture
from .theory_model import DELTAS, PIXELS, RHO, SAMPLES, correlated_model

REAL = (0.1, 0.2)
"""The deltas that the paper finds on real data."""
SETTING = (
    f"{SAMPLES} draws for each delta of {DELTAS[0]} to {DELTAS[-1]}, n = {PIXELS:,}, a linear network of two logits"
)


def _concentration(found: Measured) -> Finding:
    held, number = deciding((within(found[f"excess/{h}"], 0, 0.02), found[f"excess/{h}"]) for h in ("h1", "h2"))
    text = "; ".join(
        f"delta = {d}: (h1, 0) . x = {said(found[f'h1/{d}'], 3)} delta, (h2, 0) . x = {said(found[f'h2/{d}'], 3)} delta"
        for d in REAL
    )
    apart = ", ".join(f"{h} {said(found[f'excess/{h}'], 3)}" for h in ("h1", "h2"))
    return finding(held, f"{text}; measured minus closed form for this n, over all deltas: {apart}", number)


def _left(part: str, rho: float) -> Callable[[Measured], Finding]:
    def judge(found: Measured) -> Finding:
        positive = every(above(found[f"{part}/{d}"], 0) for d in DELTAS)
        constant = agrees(found[f"excess/{part}"], 0)
        kept = "; ".join(f"delta = {d}: {said(found[f'{part}/{d}'], 3)}" for d in REAL)
        text = (
            f"{part} at {kept}; closed form {correlated_share(rho):.4f} as n grows; measured minus closed form for this "
            f"n: {said(found[f'excess/{part}'], 3)}"
        )
        return finding(every([positive, constant]), text, found[f"{part}/{REAL[0]}"])

    return judge


def _figure(part: str, rho: float) -> Callable[[Measured], Figure]:
    def draw(found: Measured) -> Figure:
        series = {
            f"{part}, {SAMPLES} samples": Series.of(DELTAS, [found[f"{part}/{d}"] for d in DELTAS]),
            f"closed form, n = {PIXELS:,}": Series(
                DELTAS, [found.value(f"expected/{part}/{d}") for d in DELTAS], control=True
            ),
        }
        marks = {f"closed form, n to infinity: {correlated_share(rho):.3f}": correlated_share(rho)}
        return curves(series, x_label="delta", y_label=part, marks=marks)

    return draw


EXPERIMENTS = (Experiment("cgi-correlated-model", correlated_model, minutes=(0.2, 0.2)),)

CLAIMS = (
    Claim(
        "S0-Thm-corr",
        "Given g1 . x >= delta and h1 . h2 = 1/2, the shared half holds delta/2 for the chosen logit, delta/4 for another.",
        "section 3.1",
        f"{SETTING}. Held: over all deltas the shares of delta differ by under 0.02 from 1/2 and 1/4.",
        _concentration,
        "cgi-correlated-model",
        published="delta/2 and delta/4",
    ),
    Claim(
        "S0-Fig11",
        "After competition c1 delta/2 is left from the shared features, with a constant c1.",
        "section 3.1, figure 11",
        f"{SETTING}; correlation 1/2 in the shared half. Held: over 0 at every delta, and on average c(1/2) h(t)/t.",
        _left("c1", RHO),
        "cgi-correlated-model",
        published="a curve without readable numbers; at least c1 delta/2, c1 some constant",
        why="The paper has no closed form; ours gives the constant, .8045 as n grows, and h(t)/t for the tail at finite n.",
    ),
    Claim(
        "S0-Fig12",
        "After competition c2 delta/2 is left from the features that are not shared, with a constant c2.",
        "section 3.1, figure 12",
        f"{SETTING}; the other half is independent. Held: over 0 at every delta, and on average c(0) h(t)/t.",
        _left("c2", 0.0),
        "cgi-correlated-model",
        published="a curve without readable numbers; at least c2 delta/2, c2 some constant",
        why="The paper has no closed form; ours gives the constant, .9092 as n grows, and h(t)/t for the tail at finite n.",
    ),
)

PICTURES = (
    Picture(
        "What competition leaves of the shared half of the logit",
        "figure 11",
        "cgi-correlated-model",
        _figure("c1", RHO),
        ("S0-Fig11", "S0-Thm-corr"),
    ),
    Picture(
        "What competition leaves of the half that is not shared",
        "figure 12",
        "cgi-correlated-model",
        _figure("c2", 0.0),
        ("S0-Fig12",),
    ),
)
