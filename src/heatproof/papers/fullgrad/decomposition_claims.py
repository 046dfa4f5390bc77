"""Claims of section 4: equation 1, implicit biases."""

from __future__ import annotations

from matplotlib.figure import Figure

from ...plots.plates import bars
from ...theory.implicit_bias import FORMULAS
from ..judge import above, below, every, finding, plain, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .answers import many
from .biases import NETWORKS, biases
from .decomposition import BIAS_FREE, OTHERS, PIECEWISE, equation_1, non_linearities
from .theory_claims import EXACT

MUCH, OFTEN = 2.0, 2
"""How many times larger is "much larger", and in how many of the four networks "often" is; both our reading."""


def _bias_free(found: Measured) -> Finding:
    return _exact(found, "gradient x input misses f by at most (relative)", [f"bias-free/{name}" for name in BIAS_FREE])


def _equation_1(found: Measured) -> Finding:
    names = [f"exact/{name}" for name in (*PIECEWISE, *OTHERS)] + [f"parameters/{name}" for name in PIECEWISE]
    done = _exact(found, "sum misses f by at most (relative)", names)
    without = ", ".join(f"{name} {plain(found.value(f'input only/{name}'))}" for name in PIECEWISE)
    return Finding(done.held, f"{done.measured}; without the biases: {without}", done.number, done.reason)


def _exact(found: Measured, what: str, names: list[str]) -> Finding:
    worst = max((found[name] for name in names), key=lambda number: number.value)
    return finding(every(below(found[name], EXACT) for name in names), f"{what} {plain(worst.value)}", worst)


def _non_linearities(found: Measured) -> Finding:
    curved = [name for name in FORMULAS if "ReLU" not in name or name == "ReLU6"]
    names = [f"{key}/{name}" for key in ("formula", "exact") for name in FORMULAS]
    done = _exact(found, "with them the sum misses f by at most (relative)", names)
    without = [found.value(f"without/{name}") for name in curved]
    text = f"{done.measured}; without them by {plain(min(without))} to {plain(max(without))} for {', '.join(curved)}"
    return Finding(done.held, text, done.number, done.reason)


def _larger(found: Measured) -> Finding:
    answers = [every([above(found[f"channels/{name}"], 0.5), above(found[f"ratio/{name}"], MUCH)]) for name in NETWORKS]
    shown = "; ".join(
        f"{name}: {found.value(f'ratio/{name}'):.2f} times as large in the mean, larger in "
        f"{found.value(f'channels/{name}'):.0%} of the channels, {said(found[f'share/{name}'])} of all |bias-gradients|"
        for name in NETWORKS
    )
    return finding(many(answers, OFTEN), shown, found[f"ratio/{NETWORKS[0]}"])


def _shares(found: Measured) -> Figure:
    rows = {name: found.value(f"input only/{name}") for name in (*PIECEWISE, *OTHERS)}
    others = {name: found.value(f"parameters/{name}") for name in (*PIECEWISE, *OTHERS)}
    return bars(
        {"input-gradient alone": rows, "with biases of layers and batch norms": others},
        x_label="largest |f - sum| / |f|; with the implicit biases of every operation it is 0 to 15 digits",
    )


def _sizes(found: Measured) -> Figure:
    return bars(
        {"implicit / explicit, mean size": {n: found.value(f"ratio/{n}") for n in NETWORKS},
         "share of |bias-gradients|": {n: tuple(found[f"share/{n}"]) for n in NETWORKS}},
        x_label="implicit biases of batch norms beside explicit ones", marks={"as large": 1.0, "half": 0.5},
    )  # fmt: skip


_PRETRAINED = ("cifar10_resnet20", "mnist_lenet", "mobilenet_v2_int8dq", "squeezenet1_0_dc")

EXPERIMENTS = (
    Experiment("fullgrad-equation-1", equation_1, (0.1, 0.4), data=("CIFAR10", "MNIST", "photos", *_PRETRAINED)),
    Experiment("fullgrad-non-linearities", non_linearities, (0.02, 0.02)),
    Experiment("fullgrad-biases", biases, (0.02, 0.04),
               data=("CIFAR10", *(f"cifar10_resnet{depth}" for depth in (20, 32, 44, 56)))),
)  # fmt: skip

CLAIMS = (
    Claim(
        "S2-Prop2", "Without biases a ReLU network is f(x) = gradient . x.", "section 4, proposition 2",
        "VGG-9 and a network of one hidden layer, random weights, no biases, float64, 4 images each.", _bias_free,
        "fullgrad-equation-1", published="exact",
    ),
    Claim(
        "S2-Prop3", "f(x) = input-gradient . x + bias-gradients . b, with the implicit biases of batch norm.",
        "section 4, proposition 3, equation 1",
        "VGG-9 (random), ResNet-20, LeNet, SqueezeNet: by our decomposition, and by the gradients of the bias parameters; "
        "MobileNetV2 and a vision transformer (random) by our decomposition; float64.",
        _equation_1, "fullgrad-equation-1", published="exact",
        why="MobileNetV2 has ReLU6 and the transformer GELU, layer norms and attention, so for these two the biases of "
        "layers and batch norms alone are not enough.",
    ),
    Claim(
        "S2-Impl", "With b = sigma(z) - sigma'(z) z as an implicit bias, equation 1 holds for any non-linearity.",
        "section 4",
        "A convolution, the non-linearity, a convolution, a linear layer, random weights, float64: shares against the "
        "closed form of b, and the sum against f, for nine non-linearities.",
        _non_linearities, "fullgrad-non-linearities", published="trivially extends",
        why="The paper's code never had it; here every operation has its residual.",
    ),
    Claim(
        "S2-Impl-larger", "Implicit biases of batch norm are often much larger than explicit biases.", "section 4",
        "Four pretrained CIFAR-10 ResNets: |mu gamma / sigma| beside |beta| by channel. Held: larger in most channels and "
        "twice as large in the mean, in two of the networks or more.",
        _larger, "fullgrad-biases", published="often much larger in magnitude",
        why="CIFAR-10 ResNets in place of ImageNet networks (our MobileNetV2 has its statistics folded away); in these "
        "ResNets they are 1.0 to 1.3 times as large. Often is read as half of the networks, much as twice.",
    ),
)  # fmt: skip

PICTURES = (
    Picture("What the input-gradient leaves out", "", "fullgrad-equation-1", _shares, ("S2-Prop3",)),
    Picture("Implicit biases beside explicit ones", "", "fullgrad-biases", _sizes, ("S2-Impl-larger",)),
)
