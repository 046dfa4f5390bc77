"""What randomised weights say of a map: is it blank, does it show the image, does competition make it fall?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..judge import above, below, deciding, finding
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
METRICS = {"image": "absolute rank correlation with the image", "absolute": f"absolute rank correlation {TRAINED}"}


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
    share = " to ".join(dict.fromkeys(f"{100 * value:.0f}" for value in (min(changed), max(changed))))
    return f"{len(places)} of {len(found.listed(order))} stages, which change {share} % of the predictions"


def correlation(number: Number) -> str:
    """A correlation with its interval.

    Example:
        >>> correlation(Number(-0.001, -0.02, 0.02))
        '0.00 (-0.02 to 0.02)'
    """
    interval = f" ({number.lower:z.2f} to {number.upper:z.2f})" if number.lower == number.lower else ""
    return f"{number.value:z.2f}{interval}"


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
    interval = f" ({_hundredths(number.lower)} to {_hundredths(number.upper)})" if number.lower == number.lower else ""
    return f"{_hundredths(number.value)} %{interval}"


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
        parts = [*((below(v, BLANK), v) for v in sorted(shares, reverse=True)), *((above(v, 0), v) for v in fallen)]
        held, number = deciding(parts)
        texts = [f"{WHAT[kind]}: {percents(found, f'{order}/{method}/{kind}', order, places)}"
                 f"; trained {percent(found[f'original/{method}/{kind}'])}" for kind in kinds]  # fmt: skip
        own = [found[f"predicted/{order}/{method}/{kind}/{p}"].value for kind in kinds for p in places]
        named = " to ".join(dict.fromkeys(map(_hundredths, (min(own), max(own)))))
        least = min(fallen, key=lambda n: n.lower)
        shown = (f"; with the class that the random network names {named} %; falls by {percent(least)} at least; "
                 f"{scope(found, order, places)}")  # fmt: skip
        return finding(held, f"{NAMES[method]} keeps, of " + "; of ".join(texts) + shown, number)

    return judge


WHAT = {"kept": "the nonzero pixels", "mass": "the mass", "red": "the positive mass", "blue": "the negative mass"}


def shows(order: str, method: str, where: Callable[..., list[int]] = positions) -> Judge:
    """Whether a map is like the image at every stage."""

    def judge(found: Measured) -> Finding:
        places = where(found, order)
        values = [found[f"{order}/{method}/image/{p}"] for p in places]
        held, number = deciding((above(v, SHOWS), v) for v in sorted(values))
        return finding(held, _likeness(found, order, method, places), number)

    return judge


def stops(order: str, method: str) -> Judge:
    """Whether a map that is like the image is so no more as soon as a layer is random."""

    def judge(found: Measured) -> Finding:
        places, before = positions(found, order), found[f"original/{method}/image"]
        values = [found[f"{order}/{method}/image/{p}"] for p in places]
        fallen = [found[f"{order}/{method}/fallen image/{p}"] for p in places]
        text = f"{_likeness(found, order, method, places)}; it falls by {correlation(min(fallen))} at least"
        if above(before, MUCH) is not True:
            return finding(
                None, text, before, "the trained network's map does not show the image, so that nothing can stop"
            )
        parts = [*((above(v, MUCH), v) for v in sorted(fallen)), *((below(v, SHOWS), v) for v in values)]
        held, number = deciding(parts)
        return finding(held, text, number)

    return judge


def _likeness(found: Measured, order: str, method: str, places: Sequence[int]) -> str:
    """Likeness to the image, and what it is worth: of the trained network, of random ones, of the zeros alone."""
    last = positions(found, "cascading")[-1]
    expected = [found.value(f"{order}/{method}/image expected/{p}") for p in places]
    likeness = [found.value(f"{order}/{method}/absolute/{p}") for p in places]
    return (f"{NAMES[method]}, {METRICS['image']}: {told(found, f'{order}/{method}/image', order, places)}; trained "
            f"{correlation(found[f'original/{method}/image'])}, all weights random "
            f"{correlation(found[f'cascading/{method}/image/{last}'])}, {ends(expected)} from which pixels are zero alone; "
            f"{METRICS['absolute']} {ends(likeness)}; {scope(found, order, places)}")  # fmt: skip


def ends(values: Sequence[float]) -> str:
    """The smallest and the largest value."""
    return " to ".join(dict.fromkeys(f"{value:z.2f}" for value in (min(values), max(values))))


def falls(order: str, plain_method: str, competing: str, choice: str = "", mass: float | None = None) -> Judge:
    """Whether competition lowers the similarity by `MUCH` at every stage, and leaves less than a share of the mass."""

    def judge(found: Measured) -> Finding:
        places, where = positions(found, order), f"{choice}{order}"
        less = [found[f"{where}/{competing}/less/{p}"] for p in places]
        masses = [found[f"{where}/{competing}/mass/{p}"] for p in places]
        parts = [(above(v, MUCH), v) for v in sorted(less)]
        held, number = deciding([*parts, *((below(v, mass), v) for v in masses if mass is not None)])
        texts = [f"{NAMES[m]} {told(found, f'{where}/{m}/absolute', order, places)}" for m in (plain_method, competing)]
        kept = f"; of the mass {NAMES[competing]} keeps {percents(found, f'{where}/{competing}/mass', order, places)}"
        chance = ends([found.value(f"{where}/{competing}/expected/{p}") for p in places])
        text = f"{METRICS['absolute']}: {'; '.join(texts)}, by chance {chance}{kept}; {scope(found, order, places)}"
        return finding(held, text, number)

    return judge
