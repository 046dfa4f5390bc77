"""What randomised weights say of a map: is it blank, does it show the image, does competition make it fall?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..judge import above, below, every, finding
from ..types import Finding, Measured, Number

Judge = Callable[[Measured], Finding]

BLANK = 0.05
"""Almost blank: under 1 in 20 of what gradient x input colours is left."""
SHOWS = 0.5
"""A map shows the image, or the network's own map, from this similarity on: the audit's limit of "input-dominated"."""
MUCH = 0.2
"""A difference of similarities that counts as much."""
NAMES = {"gradient_x_input": "gradient x input", "cgi": "CGI", "lrp": "LRP", "clrp": "CLRP",
         "lrp(rule='alphabeta')": "LRP", "compete(lrp(rule='alphabeta'))": "CLRP"}  # fmt: skip
TRAINED = "with the trained network's map"
METRICS = {"image": "absolute rank correlation with the image", "absolute": f"absolute rank correlation {TRAINED}",
           "ssim": f"SSIM {TRAINED}", "ssim_absolute": f"SSIM of magnitudes {TRAINED}"}  # fmt: skip


def positions(found: Measured, order: str) -> list[int]:
    """Stages that were measured."""
    start = f"{order}/changed/"
    return sorted(int(name.removeprefix(start)) for name in found.numbers if name.startswith(start))


def late(found: Measured, order: str) -> list[int]:
    """Stages with half of the blocks random, or more."""
    return [p for p in positions(found, order) if 2 * p >= len(found.listed(order))]


def first(found: Measured, order: str) -> list[int]:
    """The top layer alone."""
    return positions(found, order)[:1]


def scope(found: Measured, order: str, places: Sequence[int]) -> str:
    """How many stages were measured, and how many predictions they change."""
    changed = [found.value(f"{order}/changed/{p}") for p in places]
    ends = " to ".join(dict.fromkeys(f"{100 * value:.0f}" for value in (min(changed), max(changed))))
    return f"{len(places)} of {len(found.listed(order))} stages, which change {ends} % of the predictions"


def correlation(number: Number) -> str:
    """A correlation with its interval.

    Example:
        >>> correlation(Number(-0.001, -0.02, 0.02))
        '0.00 (-0.02 to 0.02)'
    """
    ends = f" ({number.lower:z.2f} to {number.upper:z.2f})" if number.lower == number.lower else ""
    return f"{number.value:z.2f}{ends}"


def told(found: Measured, name: str, order: str, places: Sequence[int]) -> str:
    """A correlation at each stage: "fc2 0.99 (0.98 to 0.99), fc1 ..."; the name is without its position."""
    names = found.listed(order)
    return ", ".join(f"{names[p - 1]} {correlation(found[f'{name}/{p}'])}" for p in places)


def percents(found: Measured, name: str, order: str, places: Sequence[int]) -> str:
    names = found.listed(order)
    return ", ".join(f"{names[p - 1]} {percent(found[f'{name}/{p}'])}" for p in places)


def percent(number: Number) -> str:
    """A share with its interval.

    Example:
        >>> percent(Number(0.2, 0.19, 0.21)), percent(Number(0.002))
        ('20.0 % (19.0 to 21.0)', '0.20 %')
    """
    ends = f" ({_hundredths(number.lower)} to {_hundredths(number.upper)})" if number.lower == number.lower else ""
    return f"{_hundredths(number.value)} %{ends}"


def _hundredths(share: float) -> str:
    return f"{100 * share:z.1f}" if abs(share) >= 0.01 else f"{100 * share:z.2f}"


def blank(
    order: str, method: str, kinds: Sequence[str] = ("kept",), where: Callable[..., list[int]] = positions
) -> Judge:
    """Whether less than `BLANK` is left at every stage, and less than on the trained network for the same images.

    Args:
        kinds: of pixels ("kept"), mass, red or blue.
    """

    def judge(found: Measured) -> Finding:
        places = where(found, order)
        shares = [found[f"{order}/{method}/{kind}/{p}"] for kind in kinds for p in places]
        fallen = [found[f"{order}/{method}/fallen {kind}/{p}"] for kind in kinds for p in places]
        held = every([*(below(share, BLANK) for share in shares), *(above(v, 0) for v in fallen)])
        texts = [f"{WHAT[kind]}: {percents(found, f'{order}/{method}/{kind}', order, places)}"
                 f"; trained {percent(found[f'original/{method}/{kind}'])}" for kind in kinds]  # fmt: skip
        own = [found[f"predicted/{order}/{method}/{kind}/{p}"].value for kind in kinds for p in places]
        ends = " to ".join(dict.fromkeys(map(_hundredths, (min(own), max(own)))))
        least = min(fallen)
        shown = (f"; with the class that the random network names {ends} %; falls by {percent(least)} at least; "
                 f"{scope(found, order, places)}")  # fmt: skip
        return finding(held, f"{NAMES[method]} keeps, of " + "; of ".join(texts) + shown, max(shares))

    return judge


WHAT = {"kept": "the nonzero pixels", "mass": "the mass", "red": "the positive mass", "blue": "the negative mass"}


def shows(order: str, method: str, metric: str = "image", where: Callable[..., list[int]] = positions) -> Judge:
    """Whether a map is like the image, or like the trained network's, at every stage."""
    return _alike(order, method, metric, where, above)


def stops(order: str, method: str, metric: str = "image") -> Judge:
    """Whether a map is unlike the image as soon as a layer is random."""
    return _alike(order, method, metric, positions, below)


def _alike(
    order: str, method: str, metric: str, where: Callable[..., list[int]], side: Callable[[Number, float], bool | None]
) -> Judge:
    def judge(found: Measured) -> Finding:
        places = where(found, order)
        values = [found[f"{order}/{method}/{metric}/{p}"] for p in places]
        values_told = told(found, f"{order}/{method}/{metric}", order, places)
        text = f"{METRICS[metric]}: {values_told}"
        nulls = _nulls(found, order, method, metric, places)
        worst = min(values) if side is above else max(values)
        return finding(
            every(side(v, SHOWS) for v in values),
            f"{NAMES[method]}, {text}; {nulls}; {scope(found, order, places)}",
            worst,
        )

    return judge


def _nulls(found: Measured, order: str, method: str, metric: str, places: Sequence[int]) -> str:
    """What the number is worth: all weights random, and for likeness to the image the zeros alone."""
    last = positions(found, "cascading")[-1]
    text = f"all weights random {correlation(found[f'cascading/{method}/{metric}/{last}'])}"
    if metric != "image":
        return text
    expected = [found.value(f"{order}/{method}/image expected/{p}") for p in places]
    alone = f"{min(expected):z.2f} to {max(expected):z.2f} from which pixels are zero alone"
    likeness = [found.value(f"{order}/{method}/absolute/{p}") for p in places]
    return (f"trained {correlation(found[f'original/{method}/image'])}, {text}, {alone}; {METRICS['absolute']} "
            f"{min(likeness):z.2f} to {max(likeness):z.2f}")  # fmt: skip


def falls(order: str, plain_method: str, competing: str, choice: str = "", mass: float | None = None) -> Judge:
    """Whether competition lowers the similarity by `MUCH` at every stage, and leaves less than a share of the mass."""

    def judge(found: Measured) -> Finding:
        places, where = positions(found, order), f"{choice}{order}"
        less = [found[f"{where}/{competing}/less/{p}"] for p in places]
        masses = [found[f"{where}/{competing}/mass/{p}"] for p in places]
        held = every([*(above(v, MUCH) for v in less), *(below(v, mass) for v in masses if mass is not None)])
        texts = [f"{NAMES[m]} {told(found, f'{where}/{m}/absolute', order, places)}" for m in (plain_method, competing)]
        kept = f"; of the mass {NAMES[competing]} keeps {percents(found, f'{where}/{competing}/mass', order, places)}"
        text = f"{METRICS['absolute']}: {'; '.join(texts)}{kept}; {scope(found, order, places)}"
        return finding(held, text, min(less))

    return judge
