"""Which methods follow the value of the background: masks that are where the image is not black favour or punish them by
construction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..checks.explained import explain_all
from ..checks.subject import Row, Subject
from ..combine.composed import Composed
from ..engine.chunks import generator, padded
from ..errors import InputError
from ..types import Explain
from .kind import Bench, failed

SOURCES = ("", "nonzero")
SOURCE_HELP = "where the masks come from; 'nonzero' = pixels that are not black"
UNFAIR_HELP = (
    "methods not to measure against the masks; with 'nonzero', those that are zero where the input is black join"
)
PRODUCT_HELP = "the same; with 'nonzero', those that are zero where the input is 0 in the model's units join"
NEXT = "measure it on masks with something behind the object (pasted digits, photos)"
ZERO = (
    "is zero wherever the input is black: it has nothing outside a mask of nonzero pixels whatever the network says; "
    "{next}"
)
PRODUCT = (
    "is the product of the input and something else: its size outside a mask of nonzero pixels follows the background's "
    "value, here {black}, not the network; {next}"
)


def check_source(source: str) -> None:
    """Raise for an origin of masks that is not known."""
    if source not in SOURCES:
        raise InputError(f"source={source!r}; expected '' or 'nonzero' (the masks are the pixels that are not black)")


def multiplied(subject: Subject, colour: Tensor | None = None) -> frozenset[str]:
    """Names of the subject's methods that are exactly zero wherever the input has a colour, ``(C,)``; None = 0.

    Measured, so that it holds for anyone's methods: every method explains a chunk of noise, half of its pixels of that
    colour. A method is multiplied if its map is zero at all of them and not elsewhere, or if one of the methods that it is
    made of is (noise on the input hides the product in ``smooth(gradient_x_input)``). One that raises is left to its own
    rows.
    """
    x, zero = _probe(subject, colour)
    tried = {f"{name}|{k}": e for name, explain in subject.methods.items() for k, e in enumerate(_made_of(explain))}
    targets = padded(subject.targets[: len(x)], len(x))
    probe = replace(subject, images=x, targets=targets, methods=tried)
    maps = explain_all(probe, subject.model, list(range(len(x))), "original").maps
    return frozenset(key.rpartition("|")[0] for key, found in maps.items() if _zero_at(found, zero.to(found.device)))


def fair(bench: Bench) -> Bench:
    """The bench with the methods that its masks do not measure by construction in the options `unfair` and `product`."""
    options, subject = bench.options, bench.subject
    if options.source != "nonzero" or bench.masks is None:
        return bench
    unfair = multiplied(subject, subject.black) | set(options.unfair)
    product = (multiplied(subject) | set(options.product)) - unfair
    ready = replace(bench, options=replace(options, unfair=tuple(sorted(unfair)), product=tuple(sorted(product))))
    why = reasons(ready)
    return replace(ready, notes=tuple(f"not measured against the masks: {name} {why[name]}" for name in sorted(why)))


def reasons(bench: Bench) -> dict[str, str]:
    """Methods that are not measured against the masks, and why."""
    values = [0.0] if bench.subject.black is None else bench.subject.black.tolist()
    black = ", ".join(dict.fromkeys(f"{v:.3g}" for v in values))
    zero, product = ZERO.format(next=NEXT), PRODUCT.format(black=black, next=NEXT)
    return dict.fromkeys(bench.options.unfair, zero) | dict.fromkeys(bench.options.product, product)


def refusals(bench: Bench, shard: list[int]) -> Iterator[Row]:
    """Rows of the methods that are not measured against the masks, which say why."""
    why = reasons(bench)
    for name in bench.subject.methods:
        if name in why:
            yield from failed(name, bench.kind, shard, f"{name} {why[name]}")


def _probe(subject: Subject, colour: Tensor | None) -> tuple[Tensor, Tensor]:
    """Noise in the range of the images, half of its pixels of a colour, and which, bool ``(B, 1, H, W)``; a chunk."""
    first = padded(subject.images[: subject.chunk].detach().cpu(), subject.chunk)
    draw = generator("multiplied", subject.seed)
    noise = torch.rand(first.shape, generator=draw).to(first)
    zero = torch.rand(len(first), 1, *first.shape[2:], generator=draw) < 0.5
    low, high = first.amin(), first.amax()
    fill: Any = 0.0 if colour is None else colour.to(first).reshape(-1, 1, 1)
    x = torch.where(zero, fill, torch.lerp(low, high + (high == low), noise))
    return x.to(subject.images.device), zero


def _made_of(explain: Explain) -> Iterator[Explain]:
    """The method and all those that it combines; one with some options set is itself alone."""
    yield explain
    if isinstance(explain, Composed) and explain.name != "configured":
        for part in explain.parts:
            yield from _made_of(part)


def _zero_at(maps: Tensor, zero: Tensor) -> bool:
    return bool((maps.masked_select(zero) == 0).all()) and bool((maps.masked_select(~zero) != 0).any())
