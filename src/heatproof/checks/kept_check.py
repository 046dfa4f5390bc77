"""What a competition between classes leaves of a map: under the trained network, and under randomised ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..combine import Composed, Kept, configure, kept
from ..combine.rivals import rivals_of
from ..errors import InputError
from ..score import single_logit
from ..types import Explain, spec_of
from .chain import randomised
from .class_count import outputs_by_class
from .explained import explain_all
from .subject import Maps, Record, Row, Subject

CHECK = "kept"
METRICS = ("kept_share", "kept_mass")
BEFORE = "before "
"""Put before a competition's name: the method inside it."""


def kept_job(subject: Subject, shard: list[int], seed: int) -> Record:
    """Share of pixels and of mass that every competition keeps of its method's map, trained and randomised.

    Source: arXiv:1905.12152, section 4 ("almost blank"), in the terms of semantics.md 3.S0.13b: nonzero pixels of the map
    before, of the same class and network. Where only a last linear layer is random and the class is fixed, the share is
    2 (1 - 2^-k) / k in expectation, .19980 for 10 classes: not blank, and not a finding about the network. Deviations:
    under ``classes="predicted"`` it lies above that, since the class whose logit came out largest was chosen. With
    ``center=True`` too it is a share of the method's own map.

    Args:
        shard: places of the images in the data set, at most one chunk.
        seed: of the randomisation, as in a cascade.

    Returns:
        Rows of check "kept", metrics "kept_share" and "kept_mass" in [0, 1], at stage 0 (trained), 1 (top block random)
        and 2 (all random); NaN where there was nothing to keep.

    Raises:
        InputError: none of the methods is a competition.
    """
    pairs = competitions(subject.methods)
    if not pairs:
        raise InputError(
            f"check {CHECK!r} needs a competition between classes, got {', '.join(subject.methods) or 'no method'}; add "
            "cgi, clrp or compete(...)"
        )
    methods = {**{n: subject.methods[n] for n in pairs}, **{BEFORE + n: inner for n, inner in pairs.items()}}
    both = replace(subject, methods=methods)
    record = Record()
    original = explain_all(both, subject.model, shard, "original")
    for stage, model in _networks(subject, seed):
        maps = original
        if stage:
            maps = explain_all(both, model, shard, f"{CHECK}/{seed}/{stage}", record, CHECK, stage, seed)
        for name in pairs:
            record.rows += _rows(name, original, maps, shard, stage, seed)
    if seed == 0:
        for name in pairs:
            record.rows += _rivals(name, subject, shard)
    return record


def _rivals(name: str, subject: Subject, shard: list[int]) -> Iterator[Row]:
    """How many classes compete for each image, its own among them; none for a score that has no logit for each class."""
    if subject.score is single_logit:
        return
    _, count = outputs_by_class(subject, shard, CHECK)
    among = set(rivals_of(dict(getattr(subject.methods[name], "options", ())).get("classes"), count).tolist())
    for i in shard:
        yield (name, CHECK, 0, "rivals", i, 0, float(len(among | {int(subject.targets[i])})), "ok", "")


def competitions(methods: Mapping[str, Explain]) -> dict[str, Explain]:
    """The methods that are a competition, by name, each with the method inside it."""
    return {name: _inner(m) for name, m in methods.items() if isinstance(m, Composed) and m.name == "compete"}


def _inner(competition: Composed) -> Explain:
    """The method inside, with the noise that it has there."""
    (inner,), options = competition.parts, dict(competition.options)
    spec = spec_of(inner)
    own_seed = "seed" in dict(getattr(inner, "options", ()))
    if "seed" in options and not own_seed and spec is not None and spec.noise:
        return configure(inner, seed=options["seed"])
    return inner


def _networks(subject: Subject, seed: int) -> Iterator[tuple[int, nn.Module]]:
    """Each stage with its network; stage 1 is the first of the cascade with this seed."""
    yield 0, subject.model
    for stage, order in ((1, "cascading"), (2, "full")):
        yield stage, next(randomised(subject, order, subject.seed * 1000 + seed, keep=(1,))).model


def _rows(name: str, original: Maps, maps: Maps, shard: list[int], stage: int, seed: int) -> Iterator[Row]:
    pair = (BEFORE + name, name)
    if error := next((m.errors[n] for m in (original, maps) for n in pair if n in m.errors), ""):
        nan = float("nan")
        yield from ((name, CHECK, stage, m, i, seed, nan, "failed", error) for m in METRICS for i in shard)
        return
    first = _kept(*(original.maps[n] for n in pair)).fraction.tolist()
    for metric, values in zip(METRICS, _kept(*(maps.maps[n] for n in pair)), strict=True):
        for i, value, had in zip(shard, values.tolist(), first, strict=True):
            status = "ok" if value == value else ("vanished" if had == had else "undefined")
            yield (name, CHECK, stage, metric, i, seed, value, status, "")


def _kept(before: Tensor, after: Tensor) -> Kept:
    """`kept`, NaN where a map is not finite: a class whose map is NaN makes NaN of a competition, which is no zero."""
    bad = ~(before.isfinite() & after.isfinite()).flatten(1).all(1)
    return Kept(*(values.masked_fill(bad, torch.nan) for values in kept(before, after)))
