"""Which methods are zero wherever the image is: on masks that are where the image is not zero they win by construction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ..checks.chain import Row, Subject, explain_all
from ..combine.composed import Composed
from ..engine.chunks import generator, padded
from ..errors import InputError
from ..types import Explain
from .kind import Bench, failed

SOURCES = ("", "nonzero")
SOURCE_HELP = "where the masks come from; 'nonzero' = pixels that are not black"
UNFAIR_HELP = "methods not to measure against the masks; with 'nonzero', those that are zero where the input is join"
REASON = (
    "is zero wherever the input is: it has nothing outside a mask of nonzero pixels whatever the network says; measure it "
    "on masks with something behind the object (pasted digits, photos)"
)


def check_source(source: str) -> None:
    """Raise for an origin of masks that is not known."""
    if source not in SOURCES:
        raise InputError(f"source={source!r}; expected '' or 'nonzero' (the masks are the pixels that are not black)")


def multiplied(subject: Subject) -> frozenset[str]:
    """Names of the subject's methods that are exactly zero wherever the input is zero.

    Measured, so that it holds for anyone's methods: every method explains a chunk of noise, half of its pixels zero. A
    method is multiplied if its map is zero at all of them and not elsewhere, or if one of the methods that it is made of
    is (noise on the input hides the product in ``smooth(gradient_x_input)``). One that raises is left to its own rows.
    """
    x, zero = _probe(subject)
    tried = {f"{name}|{k}": e for name, explain in subject.methods.items() for k, e in enumerate(_made_of(explain))}
    targets = padded(subject.targets[: len(x)], len(x))
    probe = replace(subject, images=x, targets=targets, methods=tried)
    maps = explain_all(probe, subject.model, list(range(len(x))), "original").maps
    return frozenset(key.rpartition("|")[0] for key, found in maps.items() if _zero_at(found, zero.to(found.device)))


def fair(bench: Bench) -> Bench:
    """The bench with the methods that its masks favour by construction named in the option `unfair`."""
    options = bench.options
    if options.source != "nonzero" or bench.masks is None:
        return bench
    unfair = tuple(sorted(multiplied(bench.subject) | set(options.unfair)))
    return replace(bench, options=replace(options, unfair=unfair))


def refusals(bench: Bench, shard: list[int]) -> Iterator[Row]:
    """Rows of the methods that are not measured against the masks, which say why."""
    for name in bench.subject.methods:
        if name in bench.options.unfair:
            yield from failed(name, bench.kind, shard, f"{name} {REASON}")


def _probe(subject: Subject) -> tuple[Tensor, Tensor]:
    """Noise in the range of the images, zero at half of the pixels, and which they are, bool ``(B, 1, H, W)``; a chunk."""
    first = padded(subject.images[: subject.chunk].detach().cpu(), subject.chunk)
    draw = generator("multiplied", subject.seed)
    noise = torch.rand(first.shape, generator=draw).to(first)
    zero = torch.rand(len(first), 1, *first.shape[2:], generator=draw) < 0.5
    low, high = first.amin(), first.amax()
    x = torch.lerp(low, high + (high == low), noise).masked_fill(zero, 0.0)
    return x.to(subject.images.device), zero


def _made_of(explain: Explain) -> Iterator[Explain]:
    """The method and all those that it combines; one with some options set is itself alone."""
    yield explain
    if isinstance(explain, Composed) and explain.name != "configured":
        for part in explain.parts:
            yield from _made_of(part)


def _zero_at(maps: Tensor, zero: Tensor) -> bool:
    return bool((maps.masked_select(zero) == 0).all()) and bool((maps.masked_select(~zero) != 0).any())
