"""Claims on edges (figures 1 and 37, section 5.4), and on maps beside noise (appendix B)."""

from __future__ import annotations

from collections.abc import Callable

from ..judge import above, below, deciding, every, finding, plain, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .edges import GUIDED, METHODS, photos, photos_squeezenet, small, without_model
from .edges_pictures import HALF, NAMES, draw_bars, figure1, figure37

NOTHING = 0.05
"""Not similar."""
METRICS = {"spearman": "absolute Spearman", "ssim": "SSIM", "hog": "HOG"}


def _striking(found: Measured) -> Finding:
    numbers = {n: found[f"edges/{n}/spearman"] for n in METHODS}
    answers = [above(number, HALF) for number in numbers.values()]
    held = True if True in answers else None if None in answers else False
    text = "; ".join(f"{NAMES[n]} {said(v)}, {said(found[f'edges-more/{n}/spearman'])}" for n, v in numbers.items())
    return finding(
        held, f"absolute Spearman with the edges, and what it is above another photo's: {text}", max(numbers.values())
    )


def closest(guided: str, where: str = "") -> Callable[[Measured], Finding]:
    """A judge: nearer to the edges than every other method by rank correlation, on the same images."""

    def judge(found: Measured) -> Finding:
        rest = [n for n in METHODS if n not in GUIDED]
        parts = []
        for metric, name in METRICS.items():
            differences = {n: found[f"{where}closer/{guided}/{n}/{metric}"] for n in rest}
            near = min(differences, key=lambda n, d=differences: d[n].value)  # type: ignore[misc]
            parts.append(f"{name} {said(differences[near])} ({NAMES[near]})")
        ranks = sorted((found[f"{where}closer/{guided}/{n}/spearman"] for n in rest), key=lambda n: n.lower)
        held, number = deciding((above(v, 0.0), v) for v in ranks)
        return finding(held, f"difference to the nearest rival: {'; '.join(parts)}", number)

    return judge


def resembles(metric: str) -> Callable[[Measured], Finding]:
    """A judge: every method is nearer to the edges of its photo than to those of another."""

    def judge(found: Measured) -> Finding:
        numbers = {n: found[f"edges-more/{n}/{metric}"] for n in METHODS}
        text = "; ".join(f"{NAMES[n]} {said(v)}" for n, v in numbers.items())
        held, number = deciding((above(v, 0.0), v) for v in sorted(numbers.values(), key=lambda n: n.lower))
        return finding(held, f"{METRICS[metric]} above another photo's edges: {text}", number)

    return judge


def kept(*methods: str) -> Callable[[Measured], Finding]:
    """A judge: the map of the edges alone is strikingly similar to that of the image, and not to another image's."""

    def judge(found: Measured) -> Finding:
        pairs = {n: (found[f"kept/{n}/spearman"], found[f"kept-more/{n}/spearman"]) for n in methods}
        text = "; ".join(
            f"{NAMES[n]} {said(own)}, {said(more)} above another photo's" for n, (own, more) in pairs.items()
        )
        parts = (part for own, more in pairs.values() for part in ((above(own, HALF), own), (above(more, 0.0), more)))
        held, number = deciding(parts)
        return finding(held, text, number)

    return judge


def unlike_noise(name: str) -> Callable[[Measured], Finding]:
    """A judge: all four similarities with a mask of noise are near 0."""

    def judge(found: Measured) -> Finding:
        names = ("spearman", "spearman_abs", "hog", "ssim")
        numbers = [found[f"mask/{name}/{m}"] for m in names]
        held = every(every((above(n, -NOTHING), below(n, NOTHING))) for n in numbers)
        text = ", ".join(said(n, 4) for n in numbers)
        return finding(held, f"Spearman, absolute, HOG, SSIM: {text}", max(numbers, key=lambda n: abs(n.value)))

    return judge


def _unchanged(found: Measured) -> Finding:
    change = found["change"]
    return finding(change.value == 0, f"largest change {plain(change.value)}", change)


REDUCED = "16 photos, 15 draws of SmoothGrad and 15 steps of integrated gradients where the paper has 50"
EXPERIMENTS = (
    Experiment("sanity-edges", photos, minutes=(0.6, 1.65), data=("photos", "mobilenet_v2_int8dq"), reduced=REDUCED),
    Experiment("sanity-edges-squeezenet", photos_squeezenet, minutes=(None, 2.0), data=("photos", "squeezenet1_0_dc"),
               reduced=REDUCED),
    Experiment("sanity-edges-small", small, minutes=(0.25, 0.3), networks=("mnist-cnn",), data=("MNIST", "CIFAR10",
               "cifar10_resnet20"), reduced="15 draws and steps"),
    Experiment("sanity-edges-model", without_model, minutes=(0.01, 0.01)),
)  # fmt: skip

MOBILE, SQUEEZE = "MobileNetV2", "SqueezeNet"
NETWORKS = {MOBILE: "sanity-edges", SQUEEZE: "sanity-edges-squeezenet"}
SUFFIX = {MOBILE: "", SQUEEZE: "-squeezenet"}
PHOTOS = "Magnitudes of {}'s maps of ImageNet photos"
WHY = "{} in place of Inception v3; Sobel edges, since the paper does not name its detector."
PICTURED = f'{WHY} The paper shows pictures; above one half is our reading of "strikingly similar".'
STRICT = (
    "Rank correlation asks for the edge in the very pixel and a ranking of flat regions too; the eye asks for neither."
)
BESIDE = "SSIM mostly tells how sparse two maps are, so that the edges of another photo may score as high."


def _closest(id: str, what: str, guided: str, why: str, experiment: str = "sanity-edges", where: str = "") -> Claim:
    return Claim(
        id, f"The methods most similar to an edge detector are guided backprop and its variants ({NAMES[guided]}, {what}).",
        "figure 1", f"{what}: difference to every other method on the same images, in absolute Spearman of magnitudes "
        "with Sobel edges; SSIM and HOG beside it.", closest(guided, where),
        experiment, "most similar", why,
    )  # fmt: skip


def _resembles(id: str, metric: str, why: str, network: str = MOBILE) -> Claim:
    return Claim(
        id, f"Saliency maps resemble the edges of their image in {METRICS[metric]} ({network}).",
        "older appendix, figure 8", f"{PHOTOS.format(network)}: {METRICS[metric]} with the photo's Sobel edges above that "
        "with another photo's, for every method.", resembles(metric), NETWORKS[network], "values in the picture only",
        why.format(network),
    )  # fmt: skip


def _edges_alone(
    id: str, says: str, source: str, methods: tuple[str, ...], published: str, network: str = MOBILE
) -> Claim:
    return Claim(
        id, f"{says} ({network}).", source,
        f"{PHOTOS.format(network)} and of the photo times its edges (black where there are none), same class: absolute "
        f"Spearman above .5, and above that with another photo's map, for {', '.join(NAMES[n] for n in methods)}.",
        kept(*methods), NETWORKS[network], published, PICTURED.format(network),
    )  # fmt: skip


def _mask(id: str, name: str, published: str) -> Claim:
    return Claim(
        id, f"Maps of {NAMES[name]} have nothing in common with a Gaussian mask.", "appendix B",
        "MobileNetV2's signed maps of photos beside normal noise: Spearman, absolute Spearman, HOG, SSIM, each "
        "between -.05 and .05.", unlike_noise(name), "sanity-edges", published,
        "MobileNetV2 and our photos in place of Inception v3 and ImageNet's validation set, so near zero is asked for and "
        "not the published digits; .05 is our limit. SSIM is above the published: maps divided by their largest value are "
        "nearly flat, and its stabilising constants then count.",
    )  # fmt: skip


CLAIMS = (
    Claim(
        "S1-Fig1", "An edge detector's output is strikingly similar to that of some saliency methods.", "figure 1, "
        "section 5.4", f"{PHOTOS.format(MOBILE)} beside Sobel edges: absolute Spearman above .5 for at least one method.",
        _striking, "sanity-edges", "strikingly similar", f"{PICTURED.format(MOBILE)} {STRICT}",
    ),
    _closest("S1-Fig1-GBP", "photos", "guided_backprop", WHY.format(MOBILE)),
    _closest("S1-Fig1-GGC", "photos", "guided_gradcam", WHY.format(MOBILE)),
    _closest("S1-Fig1-squeezenet", "SqueezeNet on photos", "guided_backprop", WHY.format(SQUEEZE),
             "sanity-edges-squeezenet"),
    _closest("S1-Fig1-MNIST", "MNIST", "guided_backprop", "The paper shows photos. On MNIST maps that "
             "multiply by the input share the black background with the edges, and come nearest.",
             "sanity-edges-small", "MNIST/"),
    _closest("S1-Fig1-CIFAR", "CIFAR-10", "guided_backprop", "ResNet-20 beside the paper's photos.",
             "sanity-edges-small", "CIFAR-10/"),
    _resembles("S4-Fig8", "hog", WHY),
    _resembles("S4-Fig8-squeezenet", "hog", WHY, SQUEEZE),
    _resembles("S4-Fig8-SSIM", "ssim", f"{WHY} {BESIDE}"),
    _resembles("S4-Fig8-SSIM-squeezenet", "ssim", f"{WHY} {BESIDE}", SQUEEZE),
    *(_edges_alone(f"S1-5.4{suffix}", "Maps of an image and of the image times its edges are strikingly similar",
                   "section 5.4, figure 37", METHODS, "strikingly similar", network)
      for network, suffix in SUFFIX.items()),
    *(_edges_alone(f"S4-Fig27{suffix}", "Maps of an image and of its edges are similar for guided backprop and Guided "
                   "GradCAM", "older appendix, figure 27; figure 37", GUIDED, "visually similar", network)
      for network, suffix in SUFFIX.items()),
    Claim(
        "S1-5.4-model", "Edge detection does not depend on the model.", "section 5.4", "The edge map of images under two "
        "random networks; equal by construction, since an edge detector takes no network.", _unchanged,
        "sanity-edges-model", "invariant",
    ),
    _mask("S1-B-calib-gradient", "gradient", "(-.00049, .00032, -.0016, .00027)"),
    _mask("S1-B-calib-ig", "integrated_gradients", "(.00084, .00059, .0048, .00018)"),
    _mask("S1-B-calib-gxi", "gradient_x_input", "(.00081, .00099, -.0024, .00023)"),
)  # fmt: skip

PICTURES = (
    Picture(
        "Saliency maps and an edge detector", "figure 1", "sanity-edges", figure1,
        ("S1-Fig1", "S1-Fig1-GBP", "S1-Fig1-GGC", "S4-Fig8", "S4-Fig8-SSIM"), photos=True,
    ),
    Picture(
        "Maps of photos of which only the edges are left", "figure 37", "sanity-edges", figure37,
        ("S4-Fig27", "S1-5.4"), photos=True,
    ),
    Picture("How much of a map is edges", "figures 1 and 37", "sanity-edges", draw_bars, ("S1-Fig1", "S1-5.4")),
)  # fmt: skip
