"""A `FullGradient` in a notebook: what each operation gives to the score, in bars that add up to it, and the map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from markupsafe import Markup

from ..full_gradient import summed
from ..plots._style import Array
from ..plots.visualise import colour
from ..psi import Psi
from ..report.bench_parts import Head, Score, Scores
from ..report.bench_words import significant
from ..report.words import count
from .fragment import Fragment, written
from .tiles import tile

if TYPE_CHECKING:
    from ..full_gradient import FullGradient

IMAGES, OPERATIONS = 4, 14
"""So many images stand beside each other, and so many operations below: those that give most."""


def html(whole: FullGradient) -> str:
    """One column an image; of several classes that of the first is shown."""
    one = _first_class(whole)
    batch = len(one.output)
    shown = min(batch, IMAGES)
    names, shares = _shares(one)
    rows = [("score", False, [Score(significant(v)) for v in one.output[:shown].tolist()])]
    if one.input_term.dim() == 4:
        maps = fullgrad_map(one, shown)
        pictures = [Score(tile(colour(m, "absolute"), f"FullGrad map of image {i}")) for i, m in enumerate(maps)]
        rows.append(("FullGrad map", False, pictures))
    rows += [
        (name, False, list(map(_bar, row[:shown], _largest(shares)))) for name, row in zip(names, shares, strict=True)
    ]
    rows.append(("rounding", False, [Score(significant(v)) for v in one.residual[:shown].tolist()]))
    facts = [count(batch, "image"), count(len(one.terms), "operation") + " with a bias of its own"]
    facts += [f"{len(whole.output)} classes, the first is shown"] if one is not whole else []
    left = f"; the first {shown} of {batch} images" if shown < batch else ""
    caption = f"score = gradient x input + what each operation adds, in score units{left}"
    heads = [Head(f"image {i}") for i in range(shown)]
    return written(Fragment("Full gradient", facts, tables=[Scores(caption, "", heads, rows)]))


def _first_class(whole: FullGradient) -> FullGradient:
    if whole.output.dim() == 1:
        return whole
    terms = [replace(term, value=term.value[0]) for term in whole.terms]
    return replace(
        whole, output=whole.output[0], input_term=whole.input_term[0], terms=terms, residual=whole.residual[0]
    )


def fullgrad_map(whole: FullGradient, images: int) -> Array:
    """`heatproof.fullgrad` of the first images, from the shares that are there already. ``(images, 1, H, W)``"""
    psi, size = Psi(), (whole.input_term.shape[2], whole.input_term.shape[3])
    grids = (term.on_grid() for term in whole.terms)
    parts = [whole.input_term, *(grid for grid in grids if grid is not None)]
    found: Array = torch.stack([psi(part[:images], size) for part in parts]).sum(0).detach().float().cpu().numpy()
    return found


def _shares(whole: FullGradient) -> tuple[list[str], list[list[float]]]:
    """Names and shares ``(B,)`` of the input and of the operations that give most, in call order; the others in one."""
    values = [summed(whole.input_term), *(summed(term.value) for term in whole.terms)]
    names = ["gradient x input", *(f"{term.name} ({term.op})" for term in whole.terms)]
    size = torch.stack([value.abs().mean() for value in values])
    kept = sorted(size.argsort(descending=True)[:OPERATIONS].tolist())
    others = [value for place, value in enumerate(values) if place not in kept]
    rows = [(names[i], values[i]) for i in kept]
    rows += [(f"{len(others)} further operations", torch.stack(others).sum(0))] if others else []
    return [name for name, _ in rows], [row.tolist() for _, row in rows]


def _largest(shares: Sequence[Sequence[float]]) -> list[float]:
    """Of each image, so that its bars have one scale."""
    return [max(map(abs, column)) or 1.0 for column in zip(*shares, strict=True)]


def _bar(value: float, largest: float) -> Score:
    """A share as a number and as a bar left or right of zero."""
    width = 50 * abs(value) / largest
    drawn = Markup(
        '<svg class="hp-bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<line x1="50" x2="50" y1="0" y2="8"/><rect class="{}" x="{:.1f}" y="1" width="{:.1f}" height="6"/></svg>'
    ).format("plus" if value > 0 else "minus", 50 if value > 0 else 50 - width, width)
    signed = f"+{significant(value)}" if value > 0 else significant(value)
    return Score(Markup("{}{}").format(signed, drawn))
