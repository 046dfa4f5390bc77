"""Claims of section 3 on the networks of MNIST and Fashion-MNIST (figures 4, 20, 21, 26 to 35)."""

from __future__ import annotations

from ..judge import above, deciding, finding, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from . import published, randomisation_pictures
from .randomisation import fashion_cnn, fashion_mlp, mnist_cnn, mnist_mlp
from .randomisation_audit import ABSOLUTE, SIGNED
from .randomisation_judges import NAMES, SIMILAR, Judge, invariant, over_at, positive, sensitive
from .randomisation_products import products_high, signs_lost
from .randomisation_tables import published as as_published

CNN, MLP, FASHION, FASHION_MLP = (
    "sanity-weights-mnist-cnn", "sanity-weights-mnist-mlp", "sanity-weights-fashion-cnn", "sanity-weights-fashion-mlp",
)  # fmt: skip
ON = {CNN: "CNN on MNIST", MLP: "MLP on MNIST", FASHION: "CNN on Fashion-MNIST", FASHION_MLP: "MLP on Fashion-MNIST"}
LONGER = "the longer a network trains, the more similar its maps stay under a new top layer"
STEPS = f"We train 20 thousand steps, as the text says, and quick 1,100, the authors' code 55 thousand: {LONGER}"
WHY_GRADUAL = "On this CNN the fall is gradual: the authors' own halves differ by .10, on 10 images and one draw."
WHY_SIGNS = "The published .11 to .16 are as near the limit of .2, which we set; they are of 10 images and one draw."
WHY_TABLE = {
    "cnn": f"{STEPS}. GradCAM depends on the draw, of which they have one; IG-SmoothGrad takes "
    "25 copies of 50 steps there.",
    "mlp": f"{STEPS}.",
}
WHY_SINGLE = f"The limit of .7 is ours: the paper shows boxes. {STEPS}."


def _protocol(experiment: str, rest: str) -> str:
    return (
        f"{ON[experiment]}, first test images, layers drawn again from the output down, five networks for each stage, the "
        f"class each network predicts (authors' code). {rest}"
    )


def lower_layers_only(method: str) -> Judge:
    """Single layers: a method stays similar in the upper half, and changes more in the lower half."""

    def judge(found: Measured) -> Finding:
        upper = [found[f"independent/{method}/{ABSOLUTE}/{p}"] for p in found.listed("places/independent")]
        upper = upper[: len(upper) // 2]
        less = found[f"upper/{method}"]
        held, number = deciding([*((above(n, SIMILAR), n) for n in upper), (above(less, 0.0), less)])
        shown = ", ".join(said(n) for n in upper)
        text = f"{NAMES[method]}, upper layers alone: {shown}; upper less lower half {said(less)}"
        return finding(held, text, number)

    return judge


EXPERIMENTS = (
    Experiment(
        CNN, mnist_cnn, (1.4, 3.9), ("mnist-cnn",), ("MNIST",),
        "10 images (40 for signs of products), 20 noisy copies and integration steps, IG-SmoothGrad of 5 copies",
    ),
    Experiment(MLP, mnist_mlp, (0.8, 2.2), ("mnist-mlp",), ("MNIST",), "as the CNN's"),
    Experiment(FASHION, fashion_cnn, (None, 2.8), ("fashion-cnn",), ("FashionMNIST",), "as the CNN's"),
    Experiment(FASHION_MLP, fashion_mlp, (None, 2.2), ("labels-fashion-mlp",), ("FashionMNIST",),
               "as the CNN's; trained on 6,000 images"),
)  # fmt: skip


def _section() -> tuple[Claim, ...]:
    """What section 3 says of methods, on the CNN; the photos have claims of their own."""
    limit = "Sensitive: absolute Spearman under .7 from the top layer on."
    unmoved = (
        "Invariant: absolute Spearman over .7 with the top layer new, over half of the way from random networks' to 1."
    )
    return (
        claim_on("S1-3.1-gradient", "The gradient is sensitive to the weights.", "section 3.1, figure 4", CNN, limit,
               sensitive("gradient"), ".60 after the softmax, .08 at the end", ""),
        claim_on("S1-3.1-gradcam", "GradCAM is sensitive to weights above the last convolution.", "section 3.1", CNN, limit,
               sensitive("gradcam"), ".56 after the softmax", ""),
        claim_on("S1-3.1-guided-backprop", "Guided backprop is invariant to higher layer weights.", "section 3.1", CNN,
               unmoved, invariant("guided_backprop"), ".89 after the softmax", STEPS + "."),
        claim_on("S1-3.1-guided-gradcam", "Guided GradCAM is invariant to higher layer weights.", "section 3.1", CNN,
               unmoved, invariant("guided_gradcam"), ".56 on MNIST; about 1 on Inception v3",
               "On MNIST the authors' own .56 is no invariance either: GradCAM, one factor of it, changes at once."),
        claim_on("S1-3.1-lower", "Guided backprop stays until lower layer weights are randomised.", "section 3.1", CNN,
               "The lower half of the cascade takes away more absolute Spearman than the upper half does.",
               positive("fall/guided_backprop", "guided backprop: fall in the lower half less fall in the upper half"),
               ".23 against .33", WHY_GRADUAL),
    )  # fmt: skip


def claim_on(
    id: str, says: str, source: str, experiment: str, rest: str, judge: Judge, published: str = "", why: str = ""
) -> Claim:
    return Claim(id, says, source, _protocol(experiment, rest), judge, experiment, published, why)


def _network(
    experiment: str, top: str, bottom: str, source: str, high: float, published: str = "curves only", signs: str = ""
) -> tuple[Claim, Claim]:
    """Figure 4, top and bottom, on one network."""
    return (
        claim_on(top, f"Absolute Spearman of integrated gradients and gradient x input stays high: {ON[experiment]}.",
               source, experiment, f"High: over {high} at every stage; the gradient under .7 half-way.",
               products_high(high), published),
        claim_on(bottom,
               f"Without absolute values it goes to zero almost at once: {ON[experiment]}.", source, experiment,
               "About zero: within .2 with the upper half new, on more images (full: 40).",
               signs_lost("many/"), signs or "curves only", WHY_SIGNS if signs else ""),
    )  # fmt: skip


def _orders(
    experiment: str, cascade: str, single: str, why: str, published: tuple[str, str] = ("curves only", "boxes only")
) -> tuple[Claim, Claim]:
    """Figures 20 and 21 on one CNN."""
    return (
        claim_on(cascade,
               f"Guided backprop stays closer to its original than the gradient until all is new: {ON[experiment]}.",
               "figure 20", experiment, "Difference of absolute Spearman over 0 at all stages but the last.",
               over_at("guided_backprop", "gradient"), published[0]),
        claim_on(single, f"One layer at a time: guided backprop changes with lower layers only: {ON[experiment]}.",
               "section 3.2, figure 21", experiment, "Each upper layer alone leaves over .7; the lower half less.",
               lower_layers_only("guided_backprop"), published[1], why),
    )  # fmt: skip


def _tables() -> tuple[Claim, ...]:
    rows = (
        (CNN, "S1-Fig20-table", "cnn", published.CASCADE_ABS, ABSOLUTE, "Absolute"),
        (CNN, "S1-Fig20-table-signed", "cnn", published.CASCADE_SIGNED, SIGNED, "Signed"),
        (MLP, "S1-Fig4-table-mlp", "mlp", published.CASCADE_ABS, ABSOLUTE, "Absolute"),
        (MLP, "S1-Fig4-table-mlp-signed", "mlp", published.CASCADE_SIGNED, SIGNED, "Signed"),
    )
    return tuple(
        claim_on(id, f"{word} Spearman of each method after each layer: {ON[experiment]}.", "figures 4 and 20, notebooks",
               experiment, "Every published number is met within .1, by the whole interval.",
               as_published(table[net], metric), f"{sum(map(len, table[net].values()))} numbers of 10 images, one draw",
               WHY_TABLE[net])
        for experiment, id, net, table, metric, word in rows
    )  # fmt: skip


CLAIMS = (
    *_section(),
    *_network(MLP, "S1-Fig4-top-mlp", "S1-Fig4-bottom-mlp", "section 3.1, figure 4", 0.9, ".99 at every stage",
              ".11 and .11 half-way"),
    *_network(FASHION, "S1-Fig4-top-fashion", "S1-Fig4-bottom-fashion", "section 3.1, figure 4", 0.8),
    *_network(CNN, "S4-Fig11-mnist-cnn", "S4-Fig12-mnist-cnn", "older appendix, figures 11 and 12", 0.9, ".99",
              ".16 and .13 half-way"),
    *_network(FASHION_MLP, "S4-Fig11-fashion-mlp", "S4-Fig12-fashion-mlp", "older appendix, figures 11 and 12", 0.8),
    *_orders(CNN, "S1-Fig20-mnist", "S1-Fig21-mnist", WHY_SINGLE,
             (".89 .77 .63 .44 against .60 .40 .11 .08", ".89 .80 .60 .55")),
    *_orders(FASHION, "S1-Fig20-fashion", "S1-Fig21-fashion", WHY_SINGLE),
    *_tables(),
)  # fmt: skip

_SPOTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    (CNN, ("S4-Fig11-mnist-cnn", "S1-Fig20-mnist", "S1-Fig4-zeros"), ("S4-Fig12-mnist-cnn",), ("S1-Fig30-33",)),
    (MLP, ("S1-Fig4-top-mlp", "S1-Fig4-gbp-mlp"), ("S1-Fig4-bottom-mlp",), ("S1-Fig34",)),
    (FASHION, ("S1-Fig4-top-fashion", "S1-Fig20-fashion"), ("S1-Fig4-bottom-fashion",), ("S1-Fig26-29",)),
    (FASHION_MLP, ("S4-Fig11-fashion-mlp",), ("S4-Fig12-fashion-mlp",), ("S1-Fig35",)),
)
"""For each network the claims under its curves, absolute and signed, and its strips."""
PICTURES: tuple[Picture, ...] = randomisation_pictures.of_networks(_SPOTS, ON, CNN, MLP)
