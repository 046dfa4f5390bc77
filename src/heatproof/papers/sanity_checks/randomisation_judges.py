"""What similarities say of claims about weights: sensitive, invariant, alike, or falling with the lower layers only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite

from ..judge import above, below, every, finding, plain, said, within
from ..types import Finding, Measured, Number
from .randomisation_audit import ABSOLUTE, SIGNED

Judge = Callable[[Measured], Finding]
SIMILAR, HIGH, NONE, SAME = 0.7, 0.9, 0.2, 0.1
"""Set before measuring. A map is similar over .7 and sensitive under it; a correlation is high over .9 (.8 on
Fashion-MNIST, where the paper's own are .89) and about 0 within .2, as the paper's .11 to .16 are; two numbers are the
same within .1."""
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
PRODUCTS = ("integrated_gradients", "gradient_x_input")
WHERE = {"top": "with the top block new", "half": "with the upper half new", "last": "with all weights new"}
METRIC = {ABSOLUTE: "absolute Spearman", SIGNED: "signed Spearman", "ssim": "SSIM", "hog": "HOG correlation"}


def sensitive(method: str, metric: str = ABSOLUTE) -> Judge:
    """Under `SIMILAR` at every stage, from the first on. (Random networks' floor is no limit: all new weights reach it.)"""

    def judge(found: Measured) -> Finding:
        at = {p: found[f"cascading/{method}/{metric}/{p}"] for p in ("top", *found.listed("places/cascading"))}
        top, last = at["top"], found[f"cascading/{method}/{metric}/last"]
        text = f"{METRIC[metric]} of {NAMES[method]} {said(top)} {WHERE['top']}, {said(last)} {WHERE['last']}"
        floor = plain(found.value(f"floor/{method}/{metric}"))
        return finding(every(below(n, SIMILAR) for n in at.values()), f"{text}; floor {floor}", top)

    return judge


def similar(method: str, role: str = "top", metrics: Sequence[str] = (ABSOLUTE,), check: str = "cascading") -> Judge:
    """Over `SIMILAR` in every metric at a stage."""

    def judge(found: Measured) -> Finding:
        numbers = {m: found[f"{check}/{method}/{m}/{role}"] for m in metrics}
        text = "; ".join(f"{METRIC[m]} {said(n)}" for m, n in numbers.items())
        held = every(above(n, SIMILAR) for n in numbers.values())
        return finding(held, f"{NAMES[method]} {WHERE[role]}: {text}", numbers[metrics[0]])

    return judge


def falls_by(method: str, metric: str, role: str = "half") -> Judge:
    """Under `SIMILAR` at a stage."""

    def judge(found: Measured) -> Finding:
        at, floor = found[f"cascading/{method}/{metric}/{role}"], found.value(f"floor/{method}/{metric}")
        text = f"{METRIC[metric]} of {NAMES[method]} {said(at)} {WHERE[role]}, floor {plain(floor)}"
        return finding(below(at, SIMILAR), text, at)

    return judge


def all_of(judges: Sequence[Judge]) -> Judge:
    """Every one holds; the first one's number decides."""

    def judge(found: Measured) -> Finding:
        findings = [j(found) for j in judges]
        return finding(every(f.held for f in findings), "; ".join(f.measured for f in findings), findings[0].number)

    return judge


def products_high(high: float = HIGH) -> Judge:
    """Integrated gradients and gradient x input stay high at every stage in absolute Spearman, the gradient does not."""

    def judge(found: Measured) -> Finding:
        lows = {m: _lowest(found, m) for m in PRODUCTS}
        gradient = found[f"cascading/gradient/{ABSOLUTE}/half"]
        held = every([*(above(n, high) for n in lows.values()), below(gradient, SIMILAR)])
        text = ", ".join(f"{NAMES[m]} at least {said(n)}" for m, n in lows.items())
        floors = " and ".join(plain(found.value(f"floor/{m}/{ABSOLUTE}")) for m in PRODUCTS)
        return finding(held, f"{text} (floors {floors}); gradient {said(gradient)} {WHERE['half']}", lows[PRODUCTS[0]])

    return judge


def signs_lost(found: Measured) -> Finding:
    """Both products are about 0 in signed Spearman with the upper half new."""
    numbers = {m: found[f"cascading/{m}/{SIGNED}/half"] for m in PRODUCTS}
    tops = ", ".join(f"{NAMES[m]} {plain(found.value(f'cascading/{m}/{SIGNED}/top'))}" for m in PRODUCTS)
    text = ", ".join(f"{NAMES[m]} {said(n)}" for m, n in numbers.items())
    return finding(every(near_zero(n) for n in numbers.values()), f"{text} {WHERE['half']}; {tops} {WHERE['top']}",
                   numbers[PRODUCTS[0]])  # fmt: skip


def near_zero(number: Number) -> bool | None:
    return every([below(number, NONE), above(number, -NONE)])


def at_floor(found: Measured) -> Finding:
    """Products score at every stage what they score under random networks, within .02."""
    gaps = {
        f"{m} {p}": found.value(f"cascading/{m}/{ABSOLUTE}/{p}") - found.value(f"floor/{m}/{ABSOLUTE}")
        for m in PRODUCTS for p in found.listed("places/cascading")
    }  # fmt: skip
    worst = max(gaps.values(), key=abs)
    floors = ", ".join(f"{NAMES[m]} {said(found[f'floor/{m}/{ABSOLUTE}'], 3)}" for m in PRODUCTS)
    held = all(abs(g) <= 0.02 for g in gaps.values()) if all(isfinite(g) for g in gaps.values()) else None
    return finding(held, f"floors {floors}; farthest stage {worst:+.3f} from its floor", Number(worst))


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


def over_at(a: str, b: str, metric: str, roles: Sequence[str] | None = None) -> Judge:
    """One method over another on the same images; roles: None for every stage of the cascade."""

    def judge(found: Measured) -> Finding:
        at = {r: found[f"cascading/{a} less {b}/{metric}/{r}"] for r in roles or found.listed("places/cascading")}
        least = min(at.values(), key=lambda n: n.value if isfinite(n.value) else -9)
        text = f"{METRIC[metric]} of {NAMES[a]} less {NAMES[b]}: at least {said(least)}"
        return finding(every(above(n, 0.0) for n in at.values()), text, least)

    return judge


def positive(name: str, text: str) -> Judge:
    """A difference is above 0."""

    def judge(found: Measured) -> Finding:
        return finding(above(found[name], 0.0), f"{text} {said(found[name])}", found[name])

    return judge


def published(table: Mapping[str, Sequence[float]], metric: str) -> Judge:
    """Every published number is met within .1, or lies in the interval."""

    def judge(found: Measured) -> Finding:
        pairs = {
            (m, i): (found[f"cascading/{m}/{metric}/{i + 1}"], value)
            for m, values in table.items() for i, value in enumerate(values)
        }  # fmt: skip
        met = [within(n, value, SAME) for n, value in pairs.values()]
        worst = max(pairs, key=lambda k: abs(pairs[k][0].value - pairs[k][1]))
        ours, theirs = pairs[worst]
        stage = found.listed("stages/cascading")[worst[1]]
        text = f"farthest: {NAMES[worst[0]]} down to {stage}, {said(ours)} against {theirs:.2f}"
        return finding(every(met), f"{met.count(True)} of {len(met)} numbers met; {text}", ours)

    return judge


def _lowest(found: Measured, method: str) -> Number:
    return min((found[f"cascading/{method}/{ABSOLUTE}/{p}"] for p in found.listed("places/cascading")),
               key=lambda n: n.value if isfinite(n.value) else -9)  # fmt: skip
