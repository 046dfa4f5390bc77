"""What similarities say of products with the input: high whatever the weights, with signs that do not last."""

from __future__ import annotations

from math import isfinite

from ...experiment.cells import SUPPORT
from ..judge import above, below, every, finding, plain, said
from ..types import UNKNOWN, Finding, Measured, Number
from .randomisation import PRODUCTS
from .randomisation_audit import ABSOLUTE, SIGNED
from .randomisation_judges import HIGH, NAMES, NONE, SIMILAR, WHERE, Judge


def products_high(high: float = HIGH) -> Judge:
    """Integrated gradients and gradient x input stay high at every stage in absolute Spearman, the gradient does not."""

    def judge(found: Measured) -> Finding:
        lows = {m: _lowest(found, m) for m in PRODUCTS}
        gradient = found[f"cascading/gradient/{ABSOLUTE}/half"]
        held = every([*(above(n, high) for n in lows.values()), below(gradient, SIMILAR)])
        text = ", ".join(f"{NAMES[m]} at least {said(n)}" for m, n in lows.items())
        text = f"{text} ({by_zeros(found, 'cascading', 'last')}); gradient {said(gradient)} {WHERE['half']}"
        return finding(held, text, lows[PRODUCTS[0]])

    return judge


def by_zeros(found: Measured, check: str, stage: str) -> str:
    """Of the products: the floor, what the zeros of the input alone give, and the correlation of the other pixels."""
    return "; ".join(_by_zeros(found, m, f"{check}/{m}/{SUPPORT}/{stage}") for m in PRODUCTS)


def _by_zeros(found: Measured, method: str, support: str) -> str:
    floor = plain(found.value(f"floor/{method}/{ABSOLUTE}"), 3)
    zeros, rest = (plain(found.numbers.get(n, UNKNOWN).value, 3) for n in (f"closed/{method}", support))
    return f"{NAMES[method]}: floor {floor}, by the zeros alone {zeros}, on nonzero pixels {rest}"


def signs_lost(many: str = "") -> Judge:
    """Both products are about 0 in signed Spearman with the upper half new; many: "many/" for the larger set of images."""

    def judge(found: Measured) -> Finding:
        numbers = {m: found[f"{many}cascading/{m}/{SIGNED}/half"] for m in PRODUCTS}
        tops = ", ".join(f"{NAMES[m]} {plain(found.value(f'{many}cascading/{m}/{SIGNED}/top'))}" for m in PRODUCTS)
        text = ", ".join(f"{NAMES[m]} {said(n)}" for m, n in numbers.items())
        return finding(every(near_zero(n) for n in numbers.values()), f"{text} {WHERE['half']}; {tops} {WHERE['top']}",
                       numbers[PRODUCTS[0]])  # fmt: skip

    return judge


def near_zero(number: Number) -> bool | None:
    return every([below(number, NONE), above(number, -NONE)])


def at_floor(found: Measured) -> Finding:
    """Products score at every stage what they score under random networks, within .02."""
    gaps = {
        f"{m} {p}": found.value(f"cascading/{m}/{ABSOLUTE}/{p}") - found.value(f"floor/{m}/{ABSOLUTE}")
        for m in PRODUCTS for p in found.listed("places/cascading")
    }  # fmt: skip
    worst = max(gaps.values(), key=abs)
    held = all(abs(g) <= 0.02 for g in gaps.values()) if all(isfinite(g) for g in gaps.values()) else None
    text = f"farthest stage {worst:+.3f} from its floor; {by_zeros(found, 'cascading', 'last')}"
    return finding(held, text, Number(worst))


def _lowest(found: Measured, method: str) -> Number:
    return min((found[f"cascading/{method}/{ABSOLUTE}/{p}"] for p in found.listed("places/cascading")),
               key=lambda n: n.value if isfinite(n.value) else -9)  # fmt: skip
