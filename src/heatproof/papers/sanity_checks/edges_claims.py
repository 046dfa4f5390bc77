"""Claims on edges (figures 1 and 37, section 5.4), and on maps beside noise (appendix B)."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from ...plots.plates import bars, photo_of, picture_of, tiles
from ..judge import above, below, every, finding, plain, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .edges import GUIDED, METHODS, photos, photos_squeezenet, small, without_model

HALF, NOTHING = 0.5, 0.05
"""Strikingly similar, and not similar."""
NAMES = {
    "gradient": "gradient",
    "smoothgrad": "SmoothGrad",
    "guided_backprop": "guided backprop",
    "gradcam": "GradCAM",
    "guided_gradcam": "Guided GradCAM",
    "integrated_gradients": "integrated gradients",
    "gradient_x_input": "gradient x input",
}
METRICS = {"spearman": "absolute Spearman", "ssim": "SSIM", "hog": "HOG"}


def _striking(found: Measured) -> Finding:
    numbers = {n: found[f"edges/{n}/spearman"] for n in METHODS}
    answers = [above(number, HALF) for number in numbers.values()]
    held = True if True in answers else None if None in answers else False
    text = "; ".join(f"{NAMES[n]} {said(number)}" for n, number in numbers.items())
    return finding(held, f"absolute Spearman with the edges: {text}", max(numbers.values()))


def closest(guided: str, where: str = "") -> Callable[[Measured], Finding]:
    """A judge: nearer to the edges than every other method by all three similarities, on the same images."""

    def judge(found: Measured) -> Finding:
        rest = [n for n in METHODS if n not in GUIDED]
        parts, answers = [], []
        for metric, name in METRICS.items():
            differences = {n: found[f"{where}closer/{guided}/{n}/{metric}"] for n in rest}
            near = min(differences, key=lambda n, d=differences: d[n].value)  # type: ignore[misc]
            parts.append(f"{name} {said(differences[near])} ({NAMES[near]})")
            answers += [above(d, 0.0) for d in differences.values()]
        own = found[f"{where}edges/{guided}/spearman"]
        return finding(every(answers), f"difference to the nearest rival: {'; '.join(parts)}", own)

    return judge


def _resembles(found: Measured) -> Finding:
    keys = [(n, m) for n in METHODS for m in ("ssim", "hog")]
    numbers = {key: found[f"edges-more/{key[0]}/{key[1]}"] for key in keys}
    answers = {key: above(d, 0.0) for key, d in numbers.items()}
    parts = []
    for m in ("ssim", "hog"):
        high = [NAMES[n] for n in METHODS if answers[n, m]]
        parts.append(f"{METRICS[m]} above for {len(high)} of {len(METHODS)}{': ' if high else ''}{', '.join(high)}")
    text = f"{'; '.join(parts)}; guided backprop HOG {said(numbers['guided_backprop', 'hog'])} above"
    return finding(every(answers.values()), text, numbers["guided_backprop", "hog"])


def kept(*methods: str) -> Callable[[Measured], Finding]:
    """A judge: the map of the edges alone is strikingly similar to that of the image."""

    def judge(found: Measured) -> Finding:
        numbers = {n: found[f"kept/{n}/spearman"] for n in methods}
        text = "; ".join(f"{NAMES[n]} {said(v)}" for n, v in numbers.items())
        return finding(every(above(v, HALF) for v in numbers.values()), text, numbers[methods[-1]])

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


def _figure1(found: Measured) -> Figure:
    rows = [
        [photo_of(found.arrays["photos"][i].numpy()), picture_of(found.arrays["edges"][i].numpy()),
         *(picture_of(found.arrays[f"map/{n}"][i].numpy()) for n in METHODS)]
        for i in range(len(found.arrays["photos"]))
    ]  # fmt: skip
    return tiles(rows, (), ("photo", "edge detector", *map(_short, METHODS)), "Saliency maps beside an edge detector")


def _figure37(found: Measured) -> Figure:
    rows, names = [], []
    for i in range(len(found.arrays["photos"])):
        x, edges = (found.arrays[n][i].numpy() for n in ("photos", "edges"))
        for kind, shown in (("map", x), ("edged", x * edges / edges.max())):
            rows.append([photo_of(shown), *(picture_of(found.arrays[f"{kind}/{n}"][i].numpy()) for n in METHODS)])
            names.append("photo" if kind == "map" else "photo x edges")
    return tiles(rows, names, ("input", *map(_short, METHODS)), "The maps of a photo, and those of its edges alone")


def _short(name: str) -> str:
    return {"integrated_gradients": "integrated", "gradient_x_input": "grad x input"}.get(name, NAMES[name])


def _bars(found: Measured) -> Figure:
    groups = {
        title: {NAMES[n]: tuple(found[f"{key}/{n}/spearman"]) for n in METHODS}
        for key, title in (("edges", "with the edges"), ("kept", "with the map of the edges alone"))
    }
    return bars(groups, "How much of a map is edges (MobileNetV2)", "absolute Spearman", {"strikingly similar": HALF})


REDUCED = "16 photos, 15 draws of SmoothGrad and 15 steps of integrated gradients where the paper has 50"
EXPERIMENTS = (
    Experiment("sanity-edges", photos, minutes=(0.6, 1.65), data=("photos", "mobilenet_v2_int8dq"), reduced=REDUCED),
    Experiment("sanity-edges-squeezenet", photos_squeezenet, minutes=(None, 2.0), data=("photos", "squeezenet1_0_dc"),
               reduced=REDUCED),
    Experiment("sanity-edges-small", small, minutes=(0.25, 0.3), networks=("mnist-cnn",), data=("MNIST", "CIFAR10",
               "cifar10_resnet20"), reduced="15 draws and steps"),
    Experiment("sanity-edges-model", without_model, minutes=(0.01, 0.01)),
)  # fmt: skip

PHOTOS = "Magnitudes of MobileNetV2's maps of ImageNet photos"
WHY = "MobileNetV2 in place of Inception v3; Sobel edges, since the paper does not name its detector."
PICTURED = f'{WHY} The paper shows pictures; above one half is our reading of "strikingly similar".'


def _closest(id: str, what: str, guided: str, why: str, experiment: str = "sanity-edges", where: str = "") -> Claim:
    return Claim(
        id, f"The methods most similar to an edge detector are guided backprop and its variants ({NAMES[guided]}, {what}).",
        "figure 1", f"{what}: difference to every other method on the same images, in absolute Spearman, SSIM and HOG of "
        "magnitudes with Sobel edges.", closest(guided, where),
        experiment, "most similar", why,
    )  # fmt: skip


def _mask(id: str, name: str, published: str) -> Claim:
    return Claim(
        id, f"Maps of {NAMES[name]} have nothing in common with a Gaussian mask.", "appendix B",
        "MobileNetV2's signed maps of photos beside normal noise: Spearman, absolute Spearman, HOG, SSIM, each "
        "between -.05 and .05.", unlike_noise(name), "sanity-edges", published,
        "MobileNetV2 and our photos in place of Inception v3 and ImageNet's validation set, so near zero is asked for and "
        "not the published digits.",
    )  # fmt: skip


CLAIMS = (
    Claim(
        "S1-Fig1", "An edge detector's output is strikingly similar to that of some saliency methods.", "figure 1, "
        "section 5.4", f"{PHOTOS} beside Sobel edges: absolute Spearman above .5 for at least one method.", _striking,
        "sanity-edges", "strikingly similar", PICTURED,
    ),
    _closest("S1-Fig1-GBP", "photos", "guided_backprop", WHY),
    _closest("S1-Fig1-GGC", "photos", "guided_gradcam", WHY),
    _closest("S1-Fig1-squeezenet", "SqueezeNet on photos", "guided_backprop", WHY.replace("MobileNetV2", "SqueezeNet"),
             "sanity-edges-squeezenet"),
    _closest("S1-Fig1-MNIST", "MNIST", "guided_backprop", "The paper shows photos. On MNIST maps that "
             "multiply by the input share the black background with the edges, and come nearest.",
             "sanity-edges-small", "MNIST/"),
    _closest("S1-Fig1-CIFAR", "CIFAR-10", "guided_backprop", "ResNet-20 beside the paper's photos.",
             "sanity-edges-small", "CIFAR-10/"),
    Claim(
        "S4-Fig8", "Saliency maps resemble the edges of their image in SSIM and HOG.", "older appendix, figure 8",
        f"{PHOTOS}: SSIM and HOG with the photo's Sobel edges above those with another photo's, for every method.",
        _resembles, "sanity-edges", "values in the picture only",
        f"{WHY} SSIM mostly tells how sparse two maps are, so that the edges of another photo score as high.",
    ),
    Claim(
        "S1-5.4", "Maps of an image and of the image times its edges are strikingly similar.", "section 5.4, figure 37",
        f"{PHOTOS} and of the photo times its edges (black where there are none), same class: absolute Spearman above .5 "
        "for every method.", kept(*METHODS), "sanity-edges", "strikingly similar",
        f"{PICTURED} Guided backprop, GradCAM and Guided GradCAM reach it, the others do not.",
    ),
    Claim(
        "S4-Fig27", "Maps of an image and of its edges are similar for guided backprop and Guided GradCAM.",
        "older appendix, figure 27; figure 37", "As S1-5.4, for these two.", kept(*GUIDED), "sanity-edges",
        "visually similar", PICTURED,
    ),
    Claim(
        "S4-Fig27-squeezenet", "Maps of an image and of its edges are similar for guided backprop and Guided GradCAM "
        "(SqueezeNet).", "older appendix, figure 27; figure 37", "As S4-Fig27, with SqueezeNet.", kept(*GUIDED),
        "sanity-edges-squeezenet", "visually similar", PICTURED.replace("MobileNetV2", "SqueezeNet"),
    ),
    Claim(
        "S1-5.4-model", "Edge detection is invariant under model and data transformations.", "section 5.4",
        "The edge map of images under two random networks.", _unchanged, "sanity-edges-model", "invariant",
    ),
    _mask("S1-B-calib-gradient", "gradient", "(-.00049, .00032, -.0016, .00027)"),
    _mask("S1-B-calib-ig", "integrated_gradients", "(.00084, .00059, .0048, .00018)"),
    _mask("S1-B-calib-gxi", "gradient_x_input", "(.00081, .00099, -.0024, .00023)"),
)  # fmt: skip

PICTURES = (
    Picture(
        "Saliency maps and an edge detector", "figure 1", "sanity-edges", _figure1,
        ("S1-Fig1", "S1-Fig1-GBP", "S1-Fig1-GGC", "S4-Fig8"), photos=True,
    ),
    Picture(
        "Maps of photos of which only the edges are left", "figure 37", "sanity-edges", _figure37,
        ("S4-Fig27", "S1-5.4"), photos=True,
    ),
    Picture("How much of a map is edges", "figures 1 and 37", "sanity-edges", _bars, ("S1-Fig1", "S1-5.4")),
)  # fmt: skip
