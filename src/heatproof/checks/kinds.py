"""The checks of an audit by name: how the network is changed in each, and whether it can carry a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InputError
from .blocks import Block
from .randomize import stage_names
from .table import CHECKS as CHECKS
from .table import TRAINED as TRAINED

COPIES, SIGMA = 10, 0.1
"""Noisy copies of an image whose maps the check smooth averages, and their noise as a share of the image's range."""


def checks_from(given: str | Sequence[str], competing: bool) -> tuple[str, ...]:
    """The checks that were asked for, each once; "all" stands for all that train nothing and apply.

    Args:
        competing: whether a method is a competition between classes, which "kept" is about.

    Raises:
        InputError: an unknown check, none at all, or "kept" without such a method.
    """
    given = [name.strip() for name in given.split(",")] if isinstance(given, str) else given
    every = [c for c in CHECKS if c not in TRAINED and (competing or c != "kept")]
    names = [n for name in given for n in (every if name == "all" else [name])]
    unknown = [n for n in names if n not in CHECKS]
    if unknown or not names:
        raise InputError(f"checks={tuple(given)!r}; expected some of {', '.join(CHECKS)}, or all")
    if "kept" in names and not competing:
        raise InputError("the check kept is about cgi, clrp and compete(...); add one of them to the methods")
    return tuple(dict.fromkeys(names))


def applicable(
    checks: Sequence[str], given: str | Sequence[str], blocks: Sequence[Block], classes: int | None
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The checks that the model allows, and why the others of "all" were left out.

    Args:
        given: what was asked for; a check that was asked for by its own name is not left out.
        classes: number that the score can explain; None where nobody can count them.

    Raises:
        InputError: a check that was asked for by name does not apply.
    """
    refused: dict[str, str] = {}
    for check in checks:
        reason = _why_not(check, blocks, classes)
        if reason and check in given:
            raise InputError(f"the check {check} does not apply: {reason}; leave it out")
        if reason:
            refused[check] = reason
    return tuple(c for c in checks if c not in refused), refused


def _why_not(check: str, blocks: Sequence[Block], classes: int | None) -> str:
    if check in ("random_logit", "classes", "kept") and (classes is None or classes < 2):
        return "it compares maps of several classes, and under this score the model has none to choose from"
    try:
        stages_of(check, blocks, range(1, len(blocks) + 1))
    except InputError as error:
        return str(error)
    return ""


@dataclass(frozen=True)
class Stages:
    """The measured stages of a check: positions from 1 on, names, and randomised shares (0 to 1)."""

    positions: tuple[int, ...]
    names: tuple[str, ...]
    shares: tuple[float, ...]


def stages_of(check: str, blocks: Sequence[Block], chosen: Sequence[int]) -> Stages:
    """The stages of a check.

    Args:
        blocks: of the model, nearest to the input first.
        chosen: positions that are measured where there is one stage for each block; where there are fewer stages (biases
            alone), those up to their number and the last.
    """
    kind = CHECKS[check]
    if not kind.order:
        return Stages((1,), (kind.title,), (1.0,)) if kind.curve else Stages((), (), ())
    named = stage_names(kind.order, blocks, kind.which)
    per_block = kind.order in ("cascading", "reverse", "independent")
    kept = sorted({min(p, len(named)) for p in chosen}) if per_block else range(1, len(named) + 1)
    return Stages(tuple(kept), tuple(named[p - 1][0] for p in kept), tuple(named[p - 1][1] for p in kept))
