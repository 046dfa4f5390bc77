"""What similarities say of claims about weights: sensitive, invariant, alike, or falling with the lower layers only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite

from ..judge import above, agrees, below, deciding, every, finding, plain, said, within
from ..types import Finding, Measured
from .randomisation_audit import ABSOLUTE, SIGNED

Judge = Callable[[Measured], Finding]
SIMILAR, HIGH, NONE, SAME, EXCESS = 0.7, 0.9, 0.2, 0.1, 0.5
"""Set before measuring. A map is similar over .7 and sensitive under it; a correlation is high over .9 (.8 on
Fashion-MNIST, where the paper's own are .89) and about 0 within .2, as the paper's .11 to .16 are; two numbers are the
same within .1. Of the excess over the floor .5 decides (design.md, section 4)."""
NAMES = {
    "gradient": "gradient",
    "smoothgrad": "SmoothGrad",
    "guided_backprop": "guided backprop",
    "gradcam": "GradCAM",
    "guided_gradcam": "guided GradCAM",
    "integrated_gradients": "integrated gradients",
    "ig_smoothgrad": "IG-SmoothGrad",
    "gradient_x_input": "gradient x input",
    "vargrad": "VarGrad",
    "deeplift": "DeepLIFT",
    "lrp": "epsilon-LRP",
    "meaningful_perturbation": "meaningful perturbation",
}
WHERE = {"top": "with the top block new", "half": "with the upper half new", "last": "with all weights new"}
METRIC = {ABSOLUTE: "absolute Spearman", SIGNED: "signed Spearman", "ssim": "SSIM", "hog": "HOG correlation"}


def sensitive(method: str, metric: str = ABSOLUTE) -> Judge:
    """Under `SIMILAR` at every stage, from the first on. (Random networks' floor is no limit: all new weights reach it.)"""

    def judge(found: Measured) -> Finding:
        at = {p: found[f"cascading/{method}/{metric}/{p}"] for p in ("top", *found.listed("places/cascading"))}
        top, last = at["top"], found[f"cascading/{method}/{metric}/last"]
        text = f"{METRIC[metric]} of {NAMES[method]} {said(top)} {WHERE['top']}, {said(last)} {WHERE['last']}"
        floor = plain(found.value(f"floor/{method}/{metric}"))
        held, number = deciding((below(n, SIMILAR), n) for n in at.values())
        return finding(held, f"{text}; floor {floor}", number)

    return judge


def similar(method: str, role: str = "top", metrics: Sequence[str] = (ABSOLUTE,), check: str = "cascading") -> Judge:
    """Over `SIMILAR` in every metric at a stage."""

    def judge(found: Measured) -> Finding:
        numbers = {m: found[f"{check}/{method}/{m}/{role}"] for m in metrics}
        text = "; ".join(
            f"{METRIC[m]} {said(n)}, floor {plain(found.value(f'floor/{method}/{m}'))}" for m, n in numbers.items()
        )
        held, number = deciding((above(n, SIMILAR), n) for n in numbers.values())
        return finding(held, f"{NAMES[method]} {WHERE[role]}: {text}", number)

    return judge


def invariant(method: str, role: str = "top", metrics: Sequence[str] = (ABSOLUTE,)) -> Judge:
    """`similar`, and not for what any network's maps share: over `EXCESS` of the way from the floor to 1."""
    alone = similar(method, role, metrics)

    def judge(found: Measured) -> Finding:
        plainly = alone(found)
        over = {m: found[f"excess/cascading/{method}/{m}/{role}"] for m in metrics}
        text = ", ".join(f"{METRIC[m]} {said(n)}" for m, n in over.items())
        held, number = deciding([(plainly.held, plainly.number), *((above(n, EXCESS), n) for n in over.values())])
        return finding(held, f"{plainly.measured}; excess over the floor: {text}", number)

    return judge


def sensitive_from_half(method: str) -> Judge:
    """As the audit's verdict: floor and excess under `EXCESS`, the excess at every stage from half-way on."""

    def judge(found: Measured) -> Finding:
        floor, half = found[f"floor/{method}/{ABSOLUTE}"], found[f"excess/cascading/{method}/{ABSOLUTE}/half"]
        places = found.listed("places/cascading")
        later = [found[f"excess/cascading/{method}/{ABSOLUTE}/{p}"] for p in places[(len(places) - 1) // 2 :]]
        top = found[f"cascading/{method}/{ABSOLUTE}/top"]
        text = f"{METRIC[ABSOLUTE]} of {NAMES[method]} {said(top)} {WHERE['top']}; excess over the floor {said(half)}"
        held, number = deciding((below(n, EXCESS), n) for n in (half, floor, *later))
        return finding(held, f"{text} {WHERE['half']}; floor {said(floor)}", number)

    return judge


def falls_by(method: str, metric: str, role: str = "half") -> Judge:
    """Under `SIMILAR` at a stage."""

    def judge(found: Measured) -> Finding:
        at, floor = found[f"cascading/{method}/{metric}/{role}"], found.value(f"floor/{method}/{metric}")
        text = f"{METRIC[metric]} of {NAMES[method]} {said(at)} {WHERE[role]}, floor {plain(floor)}"
        return finding(below(at, SIMILAR), text, at)

    return judge


def all_of(judges: Sequence[Judge]) -> Judge:
    """Every one holds."""

    def judge(found: Measured) -> Finding:
        findings = [j(found) for j in judges]
        held, number = deciding((f.held, f.number) for f in findings)
        return finding(held, "; ".join(f.measured for f in findings), number)

    return judge


def beside(judge: Judge, name: str, words: str) -> Judge:
    """A judge that also prints another number, which decides nothing."""

    def told(found: Measured) -> Finding:
        own = judge(found)
        return finding(own.held, f"{own.measured}; {words} {said(found[name])}", own.number, own.reason)

    return told


def alike(methods: Sequence[str], other: str, metric: str) -> Judge:
    """Methods within .05 of another at every stage."""

    def judge(found: Measured) -> Finding:
        gaps = {
            (m, p): found[f"cascading/{m} less {other}/{metric}/{p}"]
            for m in methods for p in found.listed("places/cascading")
        }  # fmt: skip
        worst = max(gaps, key=lambda k: abs(gaps[k].value))
        text = f"farthest of {METRIC[metric]} from {NAMES[other]}: {NAMES[worst[0]]} {said(gaps[worst], 3)}"
        return finding(every(within(g, 0.0, 0.05) for g in gaps.values()), text, gaps[worst])

    return judge


def over_at(a: str, b: str) -> Judge:
    """One method over another on the same images, at every stage but the last, which compares their floors."""

    def judge(found: Measured) -> Finding:
        at = [found[f"cascading/{a} less {b}/{ABSOLUTE}/{p}"] for p in found.listed("places/cascading")[:-1]]
        least = min(at, key=lambda n: n.lower if isfinite(n.lower) else -9)
        text = f"{METRIC[ABSOLUTE]} of {NAMES[a]} less {NAMES[b]}: at least {said(least)}; {_floors(found, a, b)}"
        return finding(every(above(n, 0.0) for n in at), text, least)

    return judge


def _floors(found: Measured, *methods: str) -> str:
    values = (f"{NAMES[m]} {plain(found.value(f'floor/{m}/{ABSOLUTE}'))}" for m in methods)
    return f"floors {', '.join(values)}"


def only_as_random(found: Measured) -> Finding:
    """All weights new: guided backprop scores over the gradient, and at its own floor."""
    more = found[f"cascading/guided_backprop less gradient/{ABSOLUTE}/last"]
    excess = found[f"excess/cascading/guided_backprop/{ABSOLUTE}/last"]
    text = f"guided backprop less gradient {said(more)}; guided backprop's excess over its floor {said(excess)}"
    held, number = deciding([(above(more, 0.0), more), (agrees(excess, 0.0), excess)])
    return finding(held, f"{text}; {_floors(found, 'guided_backprop', 'gradient')}", number)


def input_dominated(method: str, check: str = "independent") -> Judge:
    """As the audit's verdict: maps of random networks score over `EXCESS`, so that the input is what they share."""

    def judge(found: Measured) -> Finding:
        floor, last = found[f"floor/{method}/{ABSOLUTE}"], found[f"{check}/{method}/{ABSOLUTE}/last"]
        text = (
            f"{METRIC[ABSOLUTE]} of {NAMES[method]} {said(last)} with the lowest block alone new, floor {said(floor)}"
        )
        return finding(above(floor, EXCESS), text, floor)

    return judge


def positive(name: str, text: str) -> Judge:
    """A difference is above 0."""

    def judge(found: Measured) -> Finding:
        return finding(above(found[name], 0.0), f"{text} {said(found[name])}", found[name])

    return judge
