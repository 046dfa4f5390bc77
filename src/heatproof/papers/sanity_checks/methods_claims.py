"""Claims of appendix A: each method is its formula."""

from __future__ import annotations

from collections.abc import Callable

from ..judge import below, every, finding, plain, within
from ..types import Claim, Experiment, Finding, Measured, Picture
from .methods import DRAWS, SPREAD, formulas

EXACT = 1e-9
NOISE = 0.004
"""How far the standard deviation of some ten thousand noise values may be from .15."""
NET = "Network of two convolutions (the second with stride 2), ReLU and a linear layer, float64, four images"


def same(*names: str) -> Callable[[Measured], Finding]:
    """A judge: methods equal their slow versions."""

    def judge(found: Measured) -> Finding:
        worst = max((found[name] for name in names), key=lambda n: n.value)
        held = every(below(found[name], EXACT) for name in names)
        return finding(held, f"largest difference {plain(worst.value)} of the map's maximum", worst)

    return judge


def _smoothgrad(found: Measured) -> Finding:
    noise, draws = found["noise"], found["draws"]
    held = every((below(found["smoothgrad"], EXACT), within(noise, SPREAD, NOISE), within(draws, DRAWS, 0.0)))
    text = (
        f"{plain(draws.value, 0)} noisy copies, noise {plain(noise.value, 3)} of each image's range; largest difference "
        f"{plain(found.value('smoothgrad'))}"
    )
    return finding(held, text, found["smoothgrad"])


def _integrated(found: Measured) -> Finding:
    gap, rest = found["integrated_gradients"], found["completeness"]
    text = (
        f"largest difference {plain(gap.value)}; the sum of the map misses the change of the logit by "
        f"{plain(100 * rest.value)} % of it"
    )
    return finding(every((below(gap, EXACT), below(rest, 0.01))), text, gap)


def _bias_free(found: Measured) -> Finding:
    names = ("bias-free/deeplift", "bias-free/lrp")
    gaps = [found[name] for name in names]
    text = f"largest difference: DeepLIFT {plain(gaps[0].value)}, epsilon-LRP {plain(gaps[1].value)}"
    return finding(every(below(gap, EXACT) for gap in gaps), text, max(gaps, key=lambda n: n.value))


EXPERIMENTS = (Experiment("sanity-methods", formulas, minutes=(0.05, 0.05)),)


def _claim(
    id: str, says: str, section: str, protocol: str, judge: Callable[[Measured], Finding], why: str = ""
) -> Claim:
    return Claim(id, says, section, f"{NET}: {protocol}", judge, "sanity-methods", "exact", why)


CLAIMS = (
    _claim(
        "S1-A.1", "The gradient explanation is the derivative of the class's logit.", "appendix A.1",
        "heatproof's map beside the chain rule written out with matrices.", same("gradient"),
    ),
    _claim(
        "S1-A.2", "Gradient x input is the element-wise product of the input and the gradient.", "appendix A.2",
        "heatproof's map beside x times the chain rule.", same("gradient_x_input"),
    ),
    _claim(
        "S1-A.2-equal", "Without biases, gradient x input equals DeepLIFT and epsilon-LRP on a ReLU network.",
        "section 2.1, appendix A.2", "without biases; DeepLIFT with baseline 0, LRP with epsilon 1e-12.", _bias_free,
    ),
    _claim(
        "S1-A.3", "Guided backprop keeps only positive signal at positive activations of each ReLU.", "appendix A.3",
        "heatproof's map beside the mask of A.3 applied matrix by matrix.", same("guided_backprop"),
    ),
    _claim(
        "S1-A.4", "GradCAM is ReLU of the last feature maps weighted by their mean gradient; Guided GradCAM is it "
        "times guided backprop.", "appendix A.4",
        "heatproof's maps beside the formula, enlarged bilinearly from 3 x 3 to 6 x 6.", same("gradcam", "guided_gradcam"),
    ),
    _claim(
        "S1-A.5", "Integrated gradients is x minus the baseline, times the mean gradient on the way (baseline zero).",
        "appendix A.5", "heatproof's map beside 50 slow gradients at the middles of equal steps; its sum beside the "
        "change of the logit, which may miss 1 %.", _integrated,
    ),
    _claim(
        "S1-A.6", "SmoothGrad is the mean of the maps over noisy copies of the input.", "appendix A.6; code: 50 draws, "
        "15 % noise", "the noisy copies that the network was asked for are recorded, and their slow gradients averaged.",
        _smoothgrad,
    ),
    _claim(
        "S1-A.6-IG", "IG-SG is SmoothGrad of integrated gradients.", "figures 2 to 4; code",
        "the mean over the recorded noisy copies of (x + noise) times their slow mean gradient, ten steps each.",
        same("ig_smoothgrad"),
        "50 draws of ten steps where the code takes 25 of 50: the mean over the draws averages the steps too.",
    ),
    _claim(
        "S1-A.7", "VarGrad is the variance of the maps over noisy copies of the input.", "appendix A.7; code: 25 draws",
        "the variance, divided by the number of draws, of the slow gradients of the recorded copies.", same("vargrad"),
    ),
    _claim(
        "S1-A.7-order", "VarGrad is independent of the gradient and captures higher derivatives.",
        "appendix A.7 (Seo et al.)",
        "VarGrad before and after a random linear function of the input is added to the network, which changes every "
        "gradient and no higher derivative.", same("vargrad/tilted"),
    ),
)  # fmt: skip

PICTURES: tuple[Picture, ...] = ()
