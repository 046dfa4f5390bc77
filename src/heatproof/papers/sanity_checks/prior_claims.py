"""Claims of section 5.1: the architecture as a prior."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from ...plots.plates import bars, photo_of, picture_of, tiles
from ..judge import above, deciding, every, finding, said, within
from ..types import Claim, Experiment, Finding, Measured, Picture
from .prior import METHODS, NOISE, untrained

SETS = ("MNIST", "photos")
NAMES = {
    "gradient": "gradient",
    "gradient_x_input": "gradient x input",
    "guided_backprop": "guided backprop",
    "gradcam": "GradCAM",
    NOISE: "noise",
}


HALF, EQUAL = 0.5, 0.02
"""Shows the edges: as in figure 1. Nothing in common: a difference surely smaller than this."""


def more(what: str, *methods: str, limit: float = -1.0) -> Callable[[Measured], Finding]:
    """A judge: maps have more in common with what belongs to the same image than with another's, and over a limit."""

    def judge(found: Measured) -> Finding:
        keys = [(s, n) for s in SETS for n in methods]
        numbers, own = ([found[f"{s}/{key}/{n}/spearman"] for s, n in keys] for key in (f"{what}-more", what))
        text = "; ".join(
            f"{s}, {NAMES[n]} {said(o)}, {said(d)} above another image's"
            for (s, n), o, d in zip(keys, own, numbers, strict=True)
        )
        held = every((*(above(d, 0.0) for d in numbers), *(above(o, limit) for o in own)))
        return finding(held, text, (own if limit > 0 else numbers)[-1])

    return judge


def _all(found: Measured) -> Finding:
    keys = [(s, n) for s in SETS for n in METHODS]
    numbers = {key: found[f"{key[0]}/networks-more/{key[1]}/spearman"] for key in keys}
    answers = {k: False if within(n, 0.0, EQUAL) else above(n, 0.0) for k, n in numbers.items()}
    rest = "; ".join(f"{s}, {NAMES[n]} {said(numbers[s, n])}" for (s, n), answer in answers.items() if not answer)
    count = sum(answer is True for answer in answers.values())
    text = f"above another image's for {count} of {len(keys)}" + (f", not for {rest}" if rest else "")
    held, number = deciding((answers[key], numbers[key]) for key in numbers)
    return finding(held, text, number)


def _noise(found: Measured) -> Finding:
    numbers = [found[f"{s}/{what}/{NOISE}/spearman"] for s in SETS for what in ("networks", "edges")]
    text = "; ".join(
        f"{s}: with other noise {said(found[f'{s}/networks/{NOISE}/spearman'], 3)}, with edges "
        f"{said(found[f'{s}/edges/{NOISE}/spearman'], 3)}"
        for s in SETS
    )
    return finding(every(within(n, 0.0, 0.02) for n in numbers), text, numbers[0])


def _tiles(found: Measured) -> Figure:
    shown = [(n, seed) for n in ("gradient", "guided_backprop", "gradcam") for seed in range(2)]
    rows = []
    for photo in range(2):
        x, edges = (found.arrays[n][photo].numpy() for n in ("photos", "edges"))
        maps = [picture_of(found.arrays[f"{seed}/{n}"][photo].numpy()) for n, seed in shown]
        rows.append([photo_of(x), picture_of(edges), *maps])
    columns = ("photo", "edges", *(f"{NAMES[n]}, network {seed + 1}" for n, seed in shown))
    return tiles(rows, (), columns, "Two untrained SqueezeNets: what the architecture knows")


def _bars(found: Measured) -> Figure:
    groups = {
        f"{s}, {name}": {NAMES[n]: tuple(found[f"{s}/{what}/{n}/spearman"]) for n in (*METHODS, NOISE)}
        for s in SETS
        for what, name in (("networks-more", "another network"), ("edges-more", "edges"))
    }
    return bars(groups, "Maps of untrained networks: same image less another image", "difference of absolute Spearman")


EXPERIMENTS = (
    Experiment(
        "sanity-prior",
        untrained,
        minutes=(0.5, 1.2),
        data=("MNIST", "photos"),
        reduced="8 networks, 12 photos (not 50)",
    ),
)
PROTOCOL = (
    "Untrained networks of different seeds, in pairs (the paper's CNN on MNIST, SqueezeNet on photos): absolute rank "
    "correlation of a map with {}, above that with another image's."
)
WHY = "The paper cites others for this and measures nothing; the measurement is ours."

CLAIMS = (
    Claim(
        "S1-5.1", "Maps that do not depend on the parameters still carry the architecture's prior (guided backprop).",
        "section 5.1", PROTOCOL.format("the other network's map of the image"), more("networks", "guided_backprop"),
        "sanity-prior", "non-trivial representations", WHY,
    ),
    Claim(
        "S1-5.1-all", "Maps of untrained networks carry the architecture's prior, whatever the method.", "section 5.1",
        PROTOCOL.format("the other network's map of the image"), _all, "sanity-prior",
        "non-trivial representations",
        f"{WHY} \"Whatever the method\" is our extension; a difference surely under {EQUAL} is none.",
    ),
    Claim(
        "S1-5.1-edges", "The prior shows the edges of the image (guided backprop).", "sections 5.1 and 5.3",
        f"{PROTOCOL.format('the edges of its image')} It shows them where the correlation itself is over .5, too.",
        more("edges", "guided_backprop", limit=HALF), "sanity-prior",
        "the convolutional structure is responsible for edges", f"{WHY} .5 is our limit, as beside an edge detector.",
    ),
    Claim(
        "S1-5.1-noise", "Maps of noise have nothing in common.", "section 5.1 (control)",
        "Independent noise in place of the two networks' maps: absolute rank correlation within .02 of 0.", _noise,
        "sanity-prior", "0", "A control of ours.",
    ),
)  # fmt: skip

PICTURES = (
    Picture(
        "Untrained networks already draw the image", "", "sanity-prior", _tiles, ("S1-5.1", "S1-5.1-edges"), photos=True
    ),
    Picture(
        "How much of the image maps of untrained networks hold",
        "",
        "sanity-prior",
        _bars,
        ("S1-5.1-all", "S1-5.1-noise"),
    ),
)
