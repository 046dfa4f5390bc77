"""Claims of section 4 and their figures (6, 22 to 25)."""

from __future__ import annotations

from functools import partial
from math import isfinite

from matplotlib.figure import Figure

from ...plots.plates import bars, photo_of, tiles
from ..judge import above, below, every, finding, plain, said
from ..types import Claim, Experiment, Finding, Measured, Number, Picture
from . import published
from .labels import fashion_cnn, fashion_mlp, mnist_cnn, mnist_mlp
from .randomisation import PRODUCTS
from .randomisation_audit import ABSOLUTE, SIGNED
from .randomisation_judges import METRIC, NAMES, SIMILAR, Judge
from .randomisation_pictures import drawn
from .randomisation_products import by_zeros, near_zero
from .randomisation_tables import same

CNN, MLP, FASHION, FASHION_MLP = (
    "sanity-labels-mnist-cnn", "sanity-labels-mnist-mlp", "sanity-labels-fashion-cnn", "sanity-labels-fashion-mlp",
)  # fmt: skip
PAIRS = {
    CNN: ("S1-Fig22", "CNN on MNIST", ("MNIST", "CNN"), 0.9),
    MLP: ("S1-Fig23", "MLP on MNIST", ("MNIST", "MLP"), 0.9),
    FASHION: ("S1-Fig24", "CNN on Fashion-MNIST", ("FashionMNIST", "CNN"), 0.8),
    FASHION_MLP: ("S1-Fig25", "MLP on Fashion-MNIST", ("FashionMNIST", "MLP"), 0.8),
}
"""Figure, name, published table, and what a high absolute correlation is there."""
FEWER = "Our networks learn 6,000 images until 98 %, from the same first weights; the authors' learn all of them"


WHY_CHANCE = (
    "A tenth of the permuted labels stay true by chance, and a network that learns them may test a little off chance; "
    + FEWER[0].lower()
    + FEWER[1:]
    + "."
)
WHY_TABLE = {
    "": FEWER
    + "; they are one draw of each, as ours, and a map of single layers, as GradCAM's, depends on the draw. How "
    "much of the difference that explains is not known.",
    "-signed": "Guided backprop is far over the published bar, even of random networks (beside), so that training is not "
    "the cause, which is not known; the fault of their earlier guided backprop (footnote 5) would have made maps more "
    "alike.",
}
REMARKED = ("gradient", "guided_backprop", "gradcam")
"""Methods that stand in words beside the farthest one."""


def at(found: Measured, method: str, metric: str) -> Number:
    return found[f"labels/{method}/{metric}/1"]


def gates_hold(found: Measured) -> Finding:
    """Over .95 of the permuted labels are learned, and the test accuracy is near chance."""
    values = {n.removeprefix("gate/"): v.value for n, v in found.numbers.items() if n.startswith("gate/")}
    limits = {n: found.value(f"gate limit/{n}") for n in values}
    held = [v.value == 1 for n, v in found.numbers.items() if n.startswith("gate holds/")]
    text = "; ".join(f"{n} {v:.3f} (limit {limits[n]:.3f})" for n, v in values.items())
    return finding(all(held) if held else None, text, next((Number(v) for v in values.values()), Number(float("nan"))))


def changed(*methods: str) -> Judge:
    """Absolute Spearman under .7 for each."""

    def judge(found: Measured) -> Finding:
        numbers = {m: at(found, m, ABSOLUTE) for m in methods}
        text = ", ".join(f"{NAMES[m]} {said(n)}" for m, n in numbers.items())
        return finding(
            every(below(n, SIMILAR) for n in numbers.values()), f"absolute Spearman: {text}", numbers[methods[0]]
        )

    return judge


def products(high: float) -> Judge:
    """Integrated gradients and gradient x input: high in absolute Spearman, about 0 in signed."""

    def judge(found: Measured) -> Finding:
        both = {m: (at(found, m, ABSOLUTE), at(found, m, SIGNED)) for m in PRODUCTS}
        held = every(a for one, two in both.values() for a in (above(one, high), near_zero(two)))
        text = "; ".join(f"{NAMES[m]}: absolute {said(one)}, signed {said(two)}" for m, (one, two) in both.items())
        return finding(held, f"{text}; {by_zeros(found, 'labels', '1')}", both[PRODUCTS[0]][0])

    return judge


def table(pair: tuple[str, str], metric: str) -> Judge:
    """Every published bar is met within `SAME`, each network explaining its own class."""

    def judge(found: Measured) -> Finding:
        bar = dict(zip(published.METHODS, published.LABELS[pair][metric == SIGNED], strict=True))
        pairs = {m: (found[f"own/labels/{m}/{metric}/1"], v) for m, v in bar.items() if isfinite(v)}
        held, counts = same(pairs.values())
        worst = max(pairs, key=lambda m: abs(pairs[m][0].value - pairs[m][1]))
        told = (_against(found, m, metric, bar[m]) for m in dict.fromkeys((worst, *REMARKED)) if m in pairs)
        return finding(held, f"{counts}; farthest: {'; '.join(told)}", pairs[worst][0])

    return judge


def _against(found: Measured, method: str, metric: str, theirs: float) -> str:
    """Ours, the published number, random networks' score, and ours with one class for both networks."""
    own, floor = found[f"own/labels/{method}/{metric}/1"], found.value(f"own/floor/{method}/{metric}")
    both = f"random networks {plain(floor)}, one class for both {plain(at(found, method, metric).value)}"
    return f"{NAMES[method]} {said(own)} against {theirs:.2f} ({both})"


def more_patches(found: Measured) -> Finding:
    more = found["patches/more"]
    text = f"{said(found['patches/true'])} patches on true labels, {said(found['patches/permuted'])} on permuted ones"
    return finding(above(more, 0.0), f"{text}, {said(more)} more", more)


def positive_digit(found: Measured) -> Finding:
    share = found["positive/permuted"]
    text = (
        f"positive on {said(share)} of the digit after permuted labels, {said(found['positive/true'])} after true ones"
    )
    return finding(above(share, 0.5), text, share)


EXPERIMENTS = tuple(
    Experiment(name, measure, (None, minutes), (name.removeprefix("sanity-"),), (data,),
               "40 images, 6,000 training images; 25 noisy copies and steps, IG-SmoothGrad of 10 copies")
    for name, measure, data, minutes in (
        (CNN, mnist_cnn, "MNIST", 2.8), (MLP, mnist_mlp, "MNIST", 2.0),
        (FASHION, fashion_cnn, "FashionMNIST", 2.8), (FASHION_MLP, fashion_mlp, "FashionMNIST", 2.0),
    )
)  # fmt: skip


def _claim(
    id: str, says: str, source: str, experiment: str, rest: str, judge: Judge, said_there: str, why: str
) -> Claim:
    protocol = (
        f"{PAIRS[experiment][1]}, true against permuted labels, first test images, the true network's class. {rest}"
    )
    return Claim(id, says, source, protocol, judge, experiment, said_there, why)


def _of_pair(experiment: str) -> tuple[Claim, ...]:
    """The bars of one network: what they say, and the published numbers."""
    id, name, pair, high = PAIRS[experiment]
    number = id.removeprefix("S1-Fig")
    bars_of = f"{sum(map(isfinite, published.LABELS[pair][0]))} bars, read off"
    return (
        _claim(id, f"Gradient x input and integrated gradients keep the input's structure and lose its signs: {name}.",
               f"section 4, figure {number}", experiment, f"Absolute Spearman over {high}, signed within .2 of 0.",
               products(high), ".99 and .13" if pair[0] == "MNIST" else ".89 and .03", FEWER + "."),
        _claim(f"{id}-gate", f"A network learns permuted labels, and tests at chance: {name}.", "section 4 and appendix B",
               experiment, "Training accuracy over .95 on permuted labels; test accuracy at most .05 from chance.",
               gates_hold, "over 95 %, chance up to sampling error", WHY_CHANCE),
        *(_claim(f"{id}-table{suffix}", f"Bars of {METRIC[metric]} between true and permuted labels: {name}.",
                 f"figure {number}", experiment, "Here each network's own class; every bar is met within .1.",
                 table(pair, metric), bars_of, WHY_TABLE[suffix])
          for suffix, metric in (("", ABSOLUTE), ("-signed", SIGNED))),
    )  # fmt: skip


CLAIMS = (
    _claim("S1-4-gradient", "Gradients and SmoothGrad undergo substantial changes.", "section 4, figure 6", CNN,
           "Change: absolute Spearman under .7.", changed("gradient", "smoothgrad"), ".16 and .24", FEWER + "."),
    _claim("S1-4-gradcam", "GradCAM's masks change.", "section 4, figure 6", CNN, "Change: absolute Spearman under .7.",
           changed("gradcam"), ".03", FEWER + "."),
    _claim("S1-4-guided-backprop", "Guided backprop's masks change visibly.", "section 4, figure 6", CNN,
           "Change: absolute Spearman under .7.", changed("guided_backprop"), ".57", FEWER + "."),
    _claim("S1-4-gradcam-patches", "GradCAM's changed masks have disconnected patches.", "section 4, figure 6", CNN,
           "Connected patches over half of the map's maximum: more after permuted labels than after true ones.",
           more_patches, "picture only", FEWER + "."),
    _claim("S1-Fig6", "Guided backprop still gives positive relevance to most of the digit after permuted labels.",
           "section 4, figure 6", CNN, "Share of the digit's pixels with positive relevance, over .5.", positive_digit,
           "most of the digit", FEWER + "."),
    *(claim for experiment in PAIRS for claim in _of_pair(experiment)),
)  # fmt: skip


def _maps(found: Measured) -> Figure:
    """Figure 6: methods in columns; magnitudes on the left network by network, then signs."""
    names = [m for m in published.METHODS if f"map/{m}" in found.arrays]
    photo = photo_of(found.arrays["photo"])
    rows = [
        [photo if net == 0 else None, *(drawn(found.arrays[f"map/{m}"][net], view) for m in names)]
        for view in ("absolute", "diverging") for net in (0, 1)
    ]  # fmt: skip
    words = [f"{labels} labels, {view}" for view in ("magnitudes", "signs") for labels in ("true", "permuted")]
    return tiles(rows, words, ["image", *(NAMES[m] for m in names)])


def _bars(found: Measured, pair: tuple[str, str], metric: str) -> Figure:
    theirs = dict(zip(published.METHODS, published.LABELS[pair][metric == SIGNED], strict=True))
    names = [m for m in published.METHODS if f"labels/{m}/{metric}/1" in found.numbers]
    groups: dict[str, dict[str, float | Number]] = {
        "published": {NAMES[m]: theirs[m] for m in names},
        "measured here": {NAMES[m]: found[f"own/labels/{m}/{metric}/1"] for m in names},
        "one class for both": {NAMES[m]: at(found, m, metric) for m in names},
        "random networks": {NAMES[m]: found[f"own/floor/{m}/{metric}"] for m in names},
    }
    return bars(groups, x_label=METRIC[metric])


PICTURES = (
    *(Picture(f"True and permuted labels, {PAIRS[e][1]}: maps", "figure 6", e, _maps, claims, photos=True)
      for e, claims in ((CNN, ("S1-Fig6", "S1-4-guided-backprop", "S1-4-gradient")), (FASHION, ("S1-Fig24",)))),
    *(Picture(f"True against permuted labels, {name}: {METRIC[metric]}", f"figure {id.removeprefix('S1-Fig')}", e,
              partial(_bars, pair=pair, metric=metric), (id, f"{id}-table{suffix}"))
      for e, (id, name, pair, _) in PAIRS.items() for metric, suffix in ((ABSOLUTE, ""), (SIGNED, "-signed"))),
)  # fmt: skip
