"""The option of a method that trades time for precision, which a budget may lower: found through every composition."""

from __future__ import annotations

from dataclasses import replace
from inspect import signature
from typing import Any

from ..errors import InputError
from ..types import Explain, name_of, spec_of
from .composed import COMBINATORS, Composed, configure


def effort_of(explain: Explain) -> tuple[int, bool]:
    """The option that trades time for precision, and whether the caller set it; (0, False) where there is none."""
    spec = spec_of(explain)
    if spec is None or not spec.effort:
        return 0, False
    if not isinstance(explain, Composed):
        return int(signature(explain).parameters[spec.effort].default), False
    if spec.effort in dict(explain.options):
        return _whole(dict(explain.options)[spec.effort], name_of(explain)), True
    if _belongs_to_part(explain, spec.effort):
        return effort_of(explain.parts[0])
    return int(signature(COMBINATORS[explain.name].run).parameters[spec.effort].default), False


def with_effort(explain: Explain, effort: int) -> Explain:
    """The method with less effort: ``integrated_gradients(steps=10)``; unchanged where it has no such option."""
    spec = spec_of(explain)
    if spec is None or not spec.effort:
        return explain
    if isinstance(explain, Composed) and explain.name != "configured" and _belongs_to_part(explain, spec.effort):
        return replace(explain, parts=(with_effort(explain.parts[0], effort), *explain.parts[1:]), title="")
    return configure(explain, **{spec.effort: effort})


def _belongs_to_part(explain: Composed, effort: str) -> bool:
    """Compete and times_input have no such option of their own: they pass on that of the method inside."""
    return effort not in signature(COMBINATORS[explain.name].run).parameters


def _whole(number: Any, name: str) -> int:
    if not isinstance(number, int) or number < 1:
        raise InputError(f"{name}: {number!r} is no whole number of 1 or more")
    return number
