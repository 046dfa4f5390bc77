"""Claims of section 3 on photos (figures 2 to 5, 8 to 18), measured on networks that stand in for Inception v3."""

from __future__ import annotations

from functools import partial

from matplotlib.figure import Figure

from ...plots.plates import photo_of, tiles
from ..judge import above, every, finding, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .randomisation import PRODUCTS
from .randomisation_audit import ABSOLUTE, SIGNED
from .randomisation_judges import (
    METRIC,
    NAMES,
    Judge,
    all_of,
    beside,
    falls_by,
    input_dominated,
    invariant,
    over_at,
    sensitive,
    similar,
)
from .randomisation_networks_claims import lower_layers_only
from .randomisation_photos import mobilenet, squeezenet
from .randomisation_pictures import curve, drawn
from .randomisation_products import signs_lost

MOBILE, SQUEEZE = "sanity-weights-mobilenet", "sanity-weights-squeezenet"
ON = {MOBILE: "MobileNetV2", SQUEEZE: "SqueezeNet"}
SEEDS = {
    MOBILE: "five networks for each stage (quick: one, whose intervals are conditional on this seed)",
    SQUEEZE: "one network for each stage, whose intervals are conditional on this seed",
}
SURROGATE = "{} stands in for Inception v3, whose weights are not here"
SHOWN = ("gradient", "smoothgrad", "gradient_x_input", "guided_backprop", "gradcam", "guided_gradcam",
         "integrated_gradients")  # fmt: skip
WHY_CAM = (
    "Each network's own class is explained, as in the authors' code, and the class that a random head prefers follows the "
    "activations. Its value with the original's class kept stands beside."
)
BONE = (
    "Inception v4 of the bone age challenge and its radiographs are not public here. With them: heatproof audit --model "
    "yours.py:inception_v4 --weights FILE --images RADIOGRAPHS --methods guided_backprop --check full --score value"
)


def _claims(id: str, says: str, source: str, rest: str, judge: Judge, published: str, why: str = f"{SURROGATE}.",
            error: bool = False) -> tuple[Claim, Claim]:  # fmt: skip
    """A claim on each network. why: with {} for the network's name."""
    protocol = (
        "{}, 4 photos of birds and dogs, blocks drawn again, batch-norm statistics measured again, the class that each "
        "network predicts, {}. {}"
    )
    mobile, squeeze = (
        Claim(f"{id}{suffix}", f"{says} ({ON[e]}).", source, protocol.format(ON[e], SEEDS[e], rest), judge, e, published,
              why.format(ON[e]), error=error)
        for e, suffix in ((MOBILE, ""), (SQUEEZE, "-squeezenet"))
    )  # fmt: skip
    return mobile, squeeze


def indistinguishable(found: Measured) -> Finding:
    """Guided backprop of the trained and of the wholly random network: over .9 in every metric."""
    numbers = {m: found[f"cascading/guided_backprop/{m}/last"] for m in (ABSOLUTE, SIGNED, "ssim", "hog")}
    text = ", ".join(f"{METRIC[m]} {said(n)}" for m, n in numbers.items())
    return finding(every(above(n, 0.9) for n in numbers.values()), text, numbers[ABSOLUTE])


CAM = beside(sensitive("gradcam"), f"fixed/cascading/gradcam/{ABSOLUTE}/top", "with the original's class kept")
TOP = "Invariant: over .7 with the top block new, over half of the way from random networks' to 1."
HALF = "Similar: over .7 with the upper half new."
GUIDED = ("guided_backprop", "guided_gradcam")
BOTH = (SIGNED, ABSOLUTE)

EXPERIMENTS = (
    Experiment(MOBILE, mobilenet, (0.9, 3.5), (), ("photos", "mobilenet_v2_int8dq"),
               "4 photos, 4 of 20 stages, 3 noisy copies and integration steps"),
    Experiment(SQUEEZE, squeezenet, (None, 1.2), (), ("photos", "squeezenet1_0_dc"),
               "4 photos, one network for each of 4 stages"),
)  # fmt: skip

CLAIMS = (
    *_claims("S1-Fig2-gradient", "The gradient is sensitive to the weights", "section 3.1, figure 2",
           "Sensitive: absolute Spearman under .7 from the top block on.",
           sensitive("gradient"), "changes at once"),
    *_claims("S1-Fig2-gradcam", "GradCAM is sensitive to weights above the last convolution", "section 3.1, figure 2",
           "As for the gradient.", CAM,
           "changes at once", WHY_CAM),
    *_claims("S1-Fig2-guided-backprop", "Guided backprop is invariant to higher layer weights", "section 3.1, figure 2",
           TOP, invariant("guided_backprop", "top", BOTH), "unchanged to the eye"),
    *_claims("S1-Fig2-guided-gradcam", "Guided GradCAM is invariant to higher layer weights", "section 3.1, figure 2", TOP,
           invariant("guided_gradcam", "top", BOTH), "unchanged to the eye"),
    *_claims("S1-Fig3", "One block at a time: guided backprop is sensitive to lower layers only", "section 3.2, figure 3",
           "Each upper block alone leaves absolute Spearman over .7; the lower half of the blocks less.",
           lower_layers_only("guided_backprop"), "changes with lower layers only"),
    *_claims("S1-Fig3-guided-gradcam", "One block at a time: guided GradCAM is invariant to higher layers",
           "section 3.2, figure 3", "Each upper block alone leaves absolute Spearman over .7; the lower half less.",
           lower_layers_only("guided_gradcam"), "invariant to higher layers"),
    *_claims("S1-3.2-input", "Guided backprop's masks are dominated by the input's structure, whatever the weights",
           "section 3.2", "Dominated: maps of wholly random networks score over .5 of absolute Spearman, as the audit "
           "judges; with the lowest block alone new beside it.",
           input_dominated("guided_backprop"), "still dominated by the input"),
    *_claims("S1-Fig4-top-photos", "Absolute Spearman of gradient x input and integrated gradients is over the gradient's",
           "figure 4, top", "Difference of absolute Spearman on the same photos, over 0 until all weights are new.",
           all_of([over_at(m, "gradient") for m in PRODUCTS]), "curves only"),
    *_claims("S1-Fig4-bottom-photos", "Without absolute values they go to zero almost as soon as the top is random",
           "section 3.1, figure 4, bottom", "About zero: within .2 with the upper half new.", signs_lost(), "about 0"),
    *_claims("S1-Fig5-products", "SSIM agrees with the eye: after several blocks gradient x input and IG stay similar",
           "section 3.1, figure 5", "SSIM over .7 with the upper half new.",
           beside(all_of([similar(m, "half", ("ssim",)) for m in PRODUCTS]), "cascading/integrated_gradients/ssim/top",
                  "integrated gradients with the top block alone new"), "IG .93 after the logits (read off)",
           SURROGATE + "; the published .93 is of the first stage; integrated gradients take 3 steps; the limit is ours."),
    *_claims("S1-Fig5-guided", "SSIM and HOG of guided backprop and guided GradCAM stay high", "figure 5", HALF,
           beside(all_of([similar(m, "half", ("ssim", "hog")) for m in GUIDED]), "cascading/guided_backprop/ssim/top",
                  "SSIM of guided backprop with the top block alone new"), "1.0 after the logits (read off)"),
    *_claims("S1-Fig5-gradcam", "SSIM of GradCAM drops", "figure 5", "Drops: under .7 with the upper half new.",
           falls_by("gradcam", "ssim"), ".50 from Mixed_7c down (read off)"),
    *_claims("S1-Fig8-9", "Guided backprop still shows the object of several photos with the upper half random",
           "figures 8 and 9", HALF + " Over half of the way from random networks' to 1.",
           invariant("guided_backprop", "half", BOTH), "pictures only"),
    *_claims("S1-Fig10-18", "Guided backprop stays closer to its original than the gradient, until all weights are new",
           "figures 10 to 18", "Difference of absolute Spearman on the same photos, over 0 at every stage but the last.",
           over_at("guided_backprop", "gradient"), "pictures only",
           SURROGATE + "; no photo of corn (figures 16 to 18) is among ours."),
    *_claims("S4-Fig7-surrogate", "Guided backprop of a trained and of a wholly random network cannot be told apart",
           "older appendix, figure 7", "Cannot be told apart: all four metrics over .9 with all weights new.",
           indistinguishable, "virtually indistinguishable",
           "The paper withdrew it (footnote 5): a fault in the authors' guided backprop. " + SURROGATE + ".", error=True),
    Claim("S1-Inc-v4", "Guided backprop on bone radiographs before and after randomisation.", "appendix B", "none",
          published="qualitative", missing=BONE),
    Claim("S4-Fig7", "Guided backprop of Inception v4 on a radiograph: trained and random cannot be told apart.",
          "older appendix, figure 7", "none; measured on MobileNetV2 as S4-Fig7-surrogate", missing=BONE,
          published="virtually indistinguishable"),
)  # fmt: skip


def film(found: Measured, check: str, view: str = "absolute") -> Figure:
    """Figures 2, 3, 10 to 12: methods by blocks, the photo first."""
    names = [m for m in SHOWN if f"strip/0/{check}/{m}/{view}" in found.arrays]
    maps = {m: found.arrays[f"strip/0/{check}/{m}/{view}"].float() for m in names}
    photo = photo_of(found.arrays["photo/0"])
    rows = [[photo if r == 0 else None, *(drawn(one, view) for one in maps[m])] for r, m in enumerate(names)]
    return tiles(rows, [NAMES[m] for m in names], ["photo", "original", *found.listed(f"stages/{check}")])


def guided(found: Measured) -> Figure:
    """Figure 8: guided backprop of several photos."""
    places = [i for i in range(3) if f"strip/{i}/cascading/guided_backprop/absolute" in found.arrays]
    rows = [
        [photo_of(found.arrays[f"photo/{i}"]),
         *(drawn(m, "absolute") for m in found.arrays[f"strip/{i}/cascading/guided_backprop/absolute"].float())]
        for i in places
    ]  # fmt: skip
    names = [found.listed("names")[i].split("/")[-1].rpartition(".")[0].replace("_", " ") for i in places]
    return tiles(rows, names, ["photo", "original", *found.listed("stages/cascading")])


def _on(claims: tuple[str, ...], experiment: str) -> tuple[str, ...]:
    return tuple(f"{id}-squeezenet" if experiment == SQUEEZE else id for id in claims)


def _pictures(e: str) -> tuple[Picture, ...]:
    """Films of one network, several photos of guided backprop, and curves."""
    cascade = f"Cascading randomisation of {ON[e]}"
    films = (
        (cascade, "figure 2", partial(film, check="cascading"),
         ("S1-Fig2-guided-backprop", "S1-Fig2-gradient", "S1-Fig2-gradcam", "S1-Fig2-guided-gradcam")),
        (f"{cascade}, diverging", "figure 11", partial(film, check="cascading", view="diverging"),
         ("S1-Fig10-18", "S1-Fig4-bottom-photos")),
        (f"Independent randomisation of {ON[e]}", "figure 3", partial(film, check="independent"),
         ("S1-Fig3", "S1-Fig3-guided-gradcam", "S1-3.2-input")),
        (f"Guided backprop of several photos while {ON[e]} is randomised", "figure 8", guided,
         ("S1-Fig8-9", "S4-Fig7-surrogate")),
    )  # fmt: skip
    lines = (
        (ABSOLUTE, 4, ("S1-Fig4-top-photos",)), (SIGNED, 4, ("S1-Fig4-bottom-photos",)),
        ("ssim", 5, ("S1-Fig5-products", "S1-Fig5-guided", "S1-Fig5-gradcam")), ("hog", 5, ("S1-Fig5-guided",)),
    )  # fmt: skip
    return (
        *(Picture(title, source, e, draw, _on(claims, e), photos=True) for title, source, draw, claims in films),
        *(Picture(f"{cascade}: {METRIC[m]}", f"figure {n}", e, partial(curve, metric=m, shown=SHOWN), _on(claims, e))
          for m, n, claims in lines),
    )  # fmt: skip


PICTURES = (*_pictures(MOBILE), *_pictures(SQUEEZE))
