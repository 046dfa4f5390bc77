"""Claims of section 4.2, permuted labels, and what the audit says of the methods."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean

from ..judge import NO_VALUE, above, below, every, finding
from ..types import UNKNOWN, Claim, Experiment, Finding, Measured
from .randomisation_judges import MUCH, NAMES, SHOWS, Judge, percent
from .randomisation_judges import correlation as said
from .randomisation_labels import COMPETING, PAIR, PLAIN, audited, permuted_labels
from .randomisation_why import WHY

AUDIT, LABELS = "cgi-audit", "cgi-permuted-labels"
LEARNED = 0.98
"""The paper's accuracy on the training images."""
EXPERIMENTS = (
    Experiment(AUDIT, audited, minutes=(0.3, 1.0), networks=("mnist-cnn",), data=("MNIST",),
               reduced="64 images, 5 randomisations"),
    Experiment(LABELS, permuted_labels, minutes=(None, 0.2), networks=(PAIR,), data=("MNIST",),
               reduced="an AlexNet of a quarter of the width, 6000 training images"),
)  # fmt: skip


def verdicts(wanted: dict[str, Callable[[str], bool]]) -> Judge:
    """Whether the audit's verdict on each method is one that is wanted; undecided ones tell nothing."""

    def judge(found: Measured) -> Finding:
        got = {name: found.words[f"verdict/{name}"] for name in wanted}
        answers = [
            None if got[name] in ("undecided", "undefined") else right(got[name]) for name, right in wanted.items()
        ]
        floors = {name: said(found[f"floor/{name}/spearman_abs"]) for name in wanted}
        text = "; ".join(f"{NAMES[name]}: {got[name]}, floor {floors[name]}" for name in wanted)
        reason = " ".join(found.words[f"reason/{name}"] for name, verdict in got.items() if verdict.startswith("und"))
        return finding(
            every(answers),
            f"{text} (absolute rank correlation)",
            found[f"floor/{list(wanted)[-1]}/spearman_abs"],
            reason,
        )

    return judge


def fails(verdict: str) -> bool:
    return verdict in ("input-dominated", "insensitive")


def passes(verdict: str) -> bool:
    return verdict == "sensitive"


def _learned(found: Measured) -> Finding:
    gates = {name.removeprefix("gate/"): n for name, n in found.numbers.items() if "training accuracy" in name}
    text = "; ".join(f"{name} {percent(n)}" for name, n in gates.items())
    held = every(above(n, LEARNED) for n in gates.values()) if gates else None
    return finding(held, text, min(gates.values(), default=UNKNOWN), "" if gates else NO_VALUE)


def _shows(found: Measured) -> Finding:
    image = found[f"permuted/{PLAIN}/image"]
    alike = found[f"alike/{PLAIN}/absolute"]
    text = (f"absolute rank correlation of gradient x input with the image {said(image)}, with the map of the network on "
            f"true labels {said(alike)} (zeros alone {said(found[f'alike/{PLAIN}/expected'])}, signed "
            f"{said(found[f'alike/{PLAIN}/signed'])}); {percent(found[f'permuted/{PLAIN}/stroke'])} of the stroke is "
            f"coloured, {percent(found[f'permuted/{PLAIN}/outside'])} of the colour is outside")  # fmt: skip
    return finding(above(image, SHOWS), text, image)


def _removes(found: Measured) -> Finding:
    image, less = found[f"permuted/{COMPETING}/image"], found["permuted/less"]
    true, lost = found[f"true/{COMPETING}/image"], found["lost"]
    text = (f"absolute rank correlation of CGI with the image {said(image)} (keeping as many pixels at random "
            f"{said(found['permuted/expected'])}; network on true labels {said(true)}, {said(lost)} more), "
            f"lower than gradient x input's by {said(less)}; CGI keeps {percent(found['permuted/kept'])} of its pixels, "
            f"on true labels {percent(found['true/kept'])}, with the class that the network names "
            f"{percent(found['predicted/permuted/kept'])}")  # fmt: skip
    return finding(every([below(image, SHOWS), above(less, MUCH), above(lost, MUCH)]), text, image)


def _whatever(found: Measured) -> Finding:
    classes = sorted(int(name.rpartition("/")[2]) for name in found.numbers if name.startswith("permuted/kept/"))
    images, kept = ([found[f"permuted/{what}/{c}"] for c in classes] for what in ("image", "kept"))
    worst = max(images)
    text = (f"absolute rank correlation of CGI with the image, by class {min(images).value:.2f} to {worst.value:.2f}; it "
            f"keeps {100 * min(kept).value:.1f} to {100 * max(kept).value:.1f} % of its pixels, "
            f"{100 * fmean(n.value for n in kept):.1f} % in the mean over classes")  # fmt: skip
    return finding(every(below(n, SHOWS) for n in images), text, worst)


def _sensitive(found: Measured) -> Finding:
    cgi, plain = found[f"alike/{COMPETING}/absolute"], found[f"alike/{PLAIN}/absolute"]
    text = (f"absolute rank correlation of the two networks' maps: CGI {said(cgi)} (zeros alone "
            f"{said(found[f'alike/{COMPETING}/expected'])}, signed {said(found[f'alike/{COMPETING}/signed'])}), gradient x "
            f"input {said(plain)} (signed {said(found[f'alike/{PLAIN}/signed'])})")  # fmt: skip
    return finding(every([below(cgi, SHOWS), above(plain, SHOWS)]), text, cgi)


AUDITED = (
    "heatproof audit on the MNIST CNN, cascading randomisation: verdicts from absolute and signed rank correlations"
)
PERMUTED = "AlexNet for 28 px trained twice from the same weights, on true and on permuted labels; test images of a 3"


def _claim(id: str, says: str, source: str, protocol: str, judge: Judge, experiment: str, published: str) -> Claim:
    return Claim(id, says, source, protocol, judge, experiment, published, why=WHY.get(id, ""))


CLAIMS = (
    _claim("S0-Fails", "Gradient x input fails the randomisation test.", "abstract, section 1",
          f"{AUDITED}; failing is input-dominated or insensitive.", verdicts({PLAIN: fails}), AUDIT, published="fails"),
    _claim("S0-Passes", "CGI passes the randomisation test.", "title, sections 1 and 4.1",
          f"{AUDITED}; passing is sensitive.", verdicts({COMPETING: passes}), AUDIT, published="passes"),
    _claim("S0-LRP", "Competition benefits LRP as well: it fails the test, CLRP passes.", "section 4.1.3",
          f"{AUDITED}; LRP-epsilon fails and CLRP is sensitive.", verdicts({"lrp": fails, "clrp": passes}), AUDIT,
          published="benefits the LRP maps as well"),
    _claim("S0-Fig7-learned", "The network learns permuted labels to over 98 %.", "section 4.2",
          f"{PERMUTED}: accuracy of both networks on their 6000 training images.", _learned, LABELS, published="> 98 %"),
    _claim("S0-Fig7-shows", "Trained on permuted labels, gradient x input still shows the 3.", "section 4.2, figure 7",
          f"{PERMUTED}: absolute rank correlation of map and image; shows is over .5.", _shows, LABELS,
          published="the 3 is still visible"),
    _claim("S0-Fig7-removes", "Trained on permuted labels, CGI removes the structure of the 3.", "section 4.2, figure 7",
          f"{PERMUTED}: absolute rank correlation of map and image under .5, over .2 less than gradient x input's "
          "and over .2 less than CGI's on true labels.",
          _removes, LABELS, published="removes the 3"),
    _claim("S0-Fig7-classes", "CGI removes the 3 whichever class the network on permuted labels is asked for.",
          "section 4.2, figure 7", f"{PERMUTED}: each class explained in turn; absolute rank correlation of map and image "
          "under .5 for all of them.", _whatever, LABELS, published="shown for one class"),
    _claim("S0-Fig7-sensitive", "CGI is sensitive to the labels that a network was trained on, gradient x input is not.",
          "section 4.2", f"{PERMUTED}: absolute rank correlation of the two networks' maps; sensitive is under .5.",
          _sensitive, LABELS, published="qualitative"),
)  # fmt: skip
