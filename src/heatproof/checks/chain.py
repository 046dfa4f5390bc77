"""What one job of an audit computes: one shard of images under the original network and under all variants of it.

A chain explains the original once and compares every stage with it; the null networks of a shard are one chain too. All
methods share the passes of a variant. Nothing here touches a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from ..engine.call import attribute, guarded
from ..engine.chunks import generator, padded
from ..engine.model import output, own
from ..engine.passes import TERMS, forward
from ..engine.sharing import shared_passes
from ..errors import HeatproofError, InputError, ModelError
from ..score import predicted
from ..similarity.comparison import Comparison, Reader, read
from ..similarity.maps import Pixels, check_pair, usable
from ..similarity.metrics import Metric, metric_from_text
from ..similarity.spearman import SUPPORT, ZERO_PATTERN_NULL, ZERO_SHARE
from ..types import Explain, Score, needs_of, spec_of
from .blocks import Block
from .kinds import CHECKS
from .memory import memory_of
from .randomize import Stage, randomize

DECIDING = ("spearman", "spearman_abs")
MANY_ZEROS = 0.2
"""Share of pixels that are zero in both maps of an image above which support-only Spearman joins the absolute one."""
NULL_SEEDS = 1_000_000
"""Null networks take their seeds from here on, the cascade from 0: the two never meet."""

Row = tuple[str, str, int, str, int, int, float, str, str]
"""(method, check, stage, metric, image, seed, value, status, error), `results.COLUMNS` less model and dataset."""


@dataclass(frozen=True, eq=False)  # known by identity, so that what was found out of it can be kept beside it
class Subject:
    """What is audited: a private model, its images and targets, and how it is randomised.

    metrics are texts as `heatproof.similarity.metrics` reads them; black is a black pixel in the model's units, ``(C,)``,
    None for 0. noise: a method that averages over noise draws the same for every network ("shared"), or its own ("fresh").
    """

    model: nn.Module
    images: Tensor
    targets: Tensor
    methods: Mapping[str, Explain]
    metrics: tuple[str, ...]
    score: Score
    blocks: tuple[Block, ...]
    calibration: Tensor
    factory: Callable[[], nn.Module] | None = None
    init: str | Mapping[str, Tensor] = "original"
    std: float = 0.01
    batch_norm: str = "reestimate"
    classes: str = "fixed"
    chunk: int = 8
    seed: int = 0
    draws: str = "nested"
    black: Tensor | None = None
    noise: str = "shared"


@dataclass
class Record:
    """Rows of a job, and the raw maps that it keeps under "method|image|check|stage"."""

    rows: list[Row] = field(default_factory=list)
    maps: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Maps:
    """The maps of one variant: by method, or the error that a method raised; and what was read of them to compare them."""

    maps: dict[str, Tensor]
    errors: dict[str, str]
    _known: dict[tuple[str, bool], dict[Reader, Any]] = field(default_factory=dict, repr=False, compare=False)

    def features(self, name: str, readers: Iterable[Reader], apart: bool) -> Mapping[Reader, Any]:
        """What readers of comparisons read of a method's maps, kept for every pair that these maps are part of."""
        known = self._known.setdefault((name, apart), {})
        if missing := [reader for reader in readers if reader not in known]:
            known |= read(self.maps[name], missing, apart)
        return known


def chain(
    subject: Subject, shard: list[int], check: str, seed: int, stages: tuple[int, ...], keep: frozenset[int]
) -> Record:
    """Similarity of every map under every stage of one randomisation to the original's.

    Args:
        shard: places of the images in the data set.
        check: one of `CHECKS` that has an order.
        stages: positions to measure, from 1 on.
        keep: images whose maps are kept for the film strip.
    """
    record = Record()
    original = original_maps(subject, shard)
    keep_maps(record, original, shard, keep, check, 0)
    kind = CHECKS[check]
    variants = randomised(subject, kind.order, subject.seed * 1000 + seed, kind.which, stages)
    for position, stage in zip(stages, variants, strict=True):
        variant = f"{check}/{seed}/{position}"
        note_said(subject, variant, stage.said)
        maps = explain_all(subject, stage.model, shard, variant, record, check, position, seed)
        record.rows += compare(subject, original, maps, shard, check, position, seed)
        keep_maps(record, maps, shard, keep, check, position)
        del maps  # room for the next stage's
    return record


def null_chain(
    subject: Subject, shard: list[int], networks: int, keep: frozenset[int], null: str = "null", prior: str = "prior"
) -> Record:
    """The floor (original against random networks) and the architecture prior (random against random).

    Args:
        null, prior: the names of the two in the rows.
    """
    record = Record()
    original = original_maps(subject, shard)
    keep_maps(record, original, shard, keep, null, 0)
    first = before = None
    for number in range(1, networks + 1):
        stage = null_stage(subject, number)
        note_said(subject, f"{null}/{number}", stage.said)
        maps = explain_all(subject, stage.model, shard, f"{null}/{number}", record, null, number, number)
        record.rows += compare(subject, original, maps, shard, null, number, number)
        if before is not None:
            record.rows += compare(subject, before, maps, shard, prior, number - 1, number - 1)
        first, before = first or Maps(maps.maps, maps.errors), maps  # what is read of the first is not kept that long
    if networks > 2 and first is not None and before is not None:
        record.rows += compare(subject, before, first, shard, prior, networks, networks)
    return record


def original_maps(subject: Subject, shard: list[int]) -> Maps:
    """The maps of the original network on a shard, which every chain of it begins with."""
    known = memory_of(subject)
    if tuple(shard) not in known.originals:
        known.keep_original(tuple(shard), explain_all(subject, subject.model, shard, "original"))
    return known.originals[tuple(shard)]


def null_network(subject: Subject, number: int) -> nn.Module:
    """The network of `null_stage`."""
    return null_stage(subject, number).model


def null_stage(subject: Subject, number: int) -> Stage:
    """A fully randomised network; number 1 and on, the same in every shard, never one of a check's stages.

    Where the check goes towards another checkpoint, which is one network and no sample, nulls are drawn as by "original".
    """
    drawn = subject if isinstance(subject.init, str) else replace(subject, init="original")
    return next(randomised(drawn, "full", NULL_SEEDS + subject.seed * 1000 + number))


def randomised(
    subject: Subject, order: str, seed: int, which: str = "all", keep: tuple[int, ...] | None = None
) -> Iterator[Stage]:
    """The stages of a randomisation, with running statistics that an earlier shard may have left."""
    return randomize(
        subject.model,
        order,
        subject.init,
        std=subject.std,
        blocks=subject.blocks,
        batch_norm=subject.batch_norm,
        calibration=subject.calibration,
        which=which,
        seed=seed,
        factory=subject.factory,
        keep=keep,
        draws=subject.draws,
        statistics=memory_of(subject).of_chain(order, seed, which),
    )


def explain_all(
    subject: Subject,
    model: nn.Module,
    shard: list[int],
    variant: str,
    record: Record | None = None,
    check: str = "",
    stage: int = 0,
    seed: int = 0,
) -> Maps:
    """The maps of all methods under one variant of the model, from shared passes, in one chunk of fixed size.

    A method that raises is a row with its error, never a silent gap; under a network that is dead (`why_dead`) only those
    run that have no model in them. With `record`, whether each image's predicted class changed is noted as the metric
    "class_changed", where the score picks a class.
    """
    private = own(model)
    index = padded(torch.tensor(shard), subject.chunk)
    x = subject.images[index.to(subject.images.device)]
    target = subject.targets[index.to(subject.targets.device)].to(x.device)
    with shared_passes(passes_of(subject), x):
        now, dead = _classes_now(subject, private, x, variant)
        if record is not None and now is not None:
            changed = (now != target)[: len(shard)].tolist()
            record.rows += [
                ("(model)", check, stage, "class_changed", i, seed, float(c), "ok", "")
                for i, c in zip(shard, changed, strict=True)
            ]
        if subject.classes == "predicted" and variant != "original" and now is not None:
            target = now
        found = maps_of(subject, private, x, target, index, variant, dead)
    return Maps({name: maps[: len(shard)] for name, maps in found.maps.items()}, found.errors)


def maps_of(
    subject: Subject, private: nn.Module, x: Tensor, target: Tensor, index: Tensor, variant: str, dead: str = ""
) -> Maps:
    """The maps of all methods at given images, from shared passes; what a method raises is kept in its place.

    Args:
        index: int64 ``(B,)``, places in the data set, from which the noise follows.
        variant: of the network or the images; random_map redraws its noise for each but "original".
        dead: why only methods that have no model in them run, "" where all do.
    """
    maps: dict[str, Tensor] = {}
    errors: dict[str, str] = {}
    with shared_passes(passes_of(subject), x):
        # full gradients first: the other gradients of their pass come out of the same backward
        for name, explain in sorted(
            subject.methods.items(), key=lambda item: ("plain", TERMS) not in needs_of(item[1])
        ):
            if dead and needs_model(explain):
                errors[name] = dead
                continue
            try:
                maps[name] = one_map(explain, private, x, target, index, subject, variant).detach()
            except (MemoryError, torch.OutOfMemoryError):
                raise  # the job is not finished: it is for the caller to make room
            except Exception as error:  # a method of the user's may raise anything; it becomes a row
                errors[name] = str(error) if isinstance(error, HeatproofError) else f"{type(error).__name__}: {error}"
    return Maps({name: maps[name] for name in subject.methods if name in maps}, errors)


def compare(subject: Subject, a: Maps, b: Maps, shard: list[int], check: str, stage: int, seed: int) -> Iterator[Row]:
    """Rows of the similarity of two variants' maps, every method and metric."""
    for name in subject.methods:
        error = a.errors.get(name) or b.errors.get(name)
        if error:
            yield from (
                (name, check, stage, m, i, seed, float("nan"), "failed", error) for m in subject.metrics for i in shard
            )
            continue
        left, right = check_pair(a.maps[name], b.maps[name], name)
        apart = left.shape[1] == right.shape[1]
        readers = _readers(subject.metrics)
        seen = a.features(name, readers, apart), b.features(name, readers, apart)
        gone = (seen[1][orderless] & ~seen[0][orderless]).tolist()
        for metric, values in _values(subject.metrics, *seen):
            for i, value, vanished in zip(shard, values.tolist(), gone, strict=True):
                if value != value and metric not in subject.metrics:
                    continue
                status = "ok" if value == value else ("vanished" if vanished else "undefined")
                yield (name, check, stage, metric, i, seed, value, status, "")


def orderless(pixels: Pixels) -> Tensor:
    """Which maps carry no order of pixels: the same value everywhere, or not finite. ``(B,)`` bool."""
    return ~usable(pixels.signed, pixels.absolute)


def _readers(metrics: tuple[str, ...]) -> list[Reader]:
    readers = [orderless, *(measure(metric).comparison.features for metric in metrics)]
    return [*readers, ZERO_SHARE.features] if "spearman_abs" in metrics else readers


def _values(metrics: tuple[str, ...], a: Mapping[Reader, Any], b: Mapping[Reader, Any]) -> Iterator[tuple[str, Tensor]]:
    def value(comparison: Comparison[Any]) -> Tensor:
        return comparison.of_features(a[comparison.features], b[comparison.features])

    for metric in metrics:
        yield metric, value(measure(metric).comparison)
    if "spearman_abs" in metrics:
        zeros = value(ZERO_SHARE)
        yield "zeros", zeros
        yield "zeros_null", value(ZERO_PATTERN_NULL)
        many = zeros.nan_to_num() > MANY_ZEROS
        if many.any() and "spearman_support" not in metrics:
            yield "spearman_support", value(SUPPORT).masked_fill(~many, torch.nan)


@lru_cache(maxsize=64)
def measure(metric: str) -> Metric:
    """The similarity that a text names."""
    return metric_from_text(metric)


def one_map(
    explain: Explain, private: nn.Module, x: Tensor, target: Tensor, index: Tensor, subject: Subject, variant: str
) -> Tensor:
    spec = spec_of(explain)
    own_noise = spec is not None and (spec.control_noise or (spec.noise and subject.noise == "fresh"))
    own_noise = own_noise and variant != "original"
    seed = generator(subject.seed, variant).initial_seed() if own_noise else subject.seed
    model, inputs = guarded(explain, private, x)
    return attribute(explain, model, inputs, target, score=subject.score, seed=seed, index=index)


def passes_of(subject: Subject) -> set[tuple[str, str]]:
    """The passes that all methods read together."""
    return {need for explain in subject.methods.values() for need in needs_of(explain)}


def needs_model(explain: Explain) -> bool:
    """Whether a method runs the model; one that nobody marked may."""
    spec = spec_of(explain)
    return spec is None or spec.uses_model


def _classes_now(subject: Subject, private: nn.Module, x: Tensor, variant: str) -> tuple[Tensor | None, str]:
    """The class that each image is given, None where the score picks none; and why nothing can be explained, or ""."""
    try:
        out = _said(subject, private, x)
        dead = _why_dead_once(private, subject, variant) if variant != "original" else ""
    except ModelError as error:
        return None, str(error)
    return guess(out, subject.score), dead


def _said(subject: Subject, private: nn.Module, x: Tensor) -> Any:
    """What the model returns, from the pass that the methods share where there is one."""
    if any(rules == "plain" for rules, _ in passes_of(subject)):
        try:
            return forward(private, x, subject.score).out
        except HeatproofError:  # no gradient, say; occlusion needs none
            pass
    return output(private, x, subject.score)


def guess(out: Tensor, score: Score) -> Tensor | None:
    """The predicted class, ``(B,)``; None where the score picks none from such an output."""
    try:
        return predicted(out, score)
    except InputError:
        return None


def _why_dead_once(private: nn.Module, subject: Subject, variant: str) -> str:
    """`why_dead` of the calibration batch, so that the answer is the same for every shard; "" where it leaves something."""
    known = memory_of(subject).dead
    if variant not in known:
        x = subject.calibration
        known[variant] = why_dead(output(private, x, subject.score), x, variant)
    return known[variant]


def note_said(subject: Subject, variant: str, said: Any) -> None:
    """What a stage said of the calibration batch when its statistics were estimated tells whether it is dead: no forward
    of its own is needed for that."""
    if said is not None:
        memory_of(subject).dead.setdefault(variant, why_dead(said, subject.calibration, variant))


def why_dead(out: Any, x: Tensor, variant: str) -> str:
    """Why a random network leaves nothing to explain: it says the same of every class, or of every image. "" if it does."""
    if not isinstance(out, Tensor):
        return ""
    said = None
    if out.dim() == 2 and out.shape[1] > 1 and (out == out[:, :1]).all():
        said = "are all equal"
    elif (out == out[:1]).all() and not (x == x[:1]).all():
        said = "are the same for every image"
    if said is None:
        return ""
    return (
        f"the logits of variant {variant} {said}: nothing is left to explain; another init or batch-norm policy may keep "
        "the activations in range"
    )


def keep_maps(record: Record, maps: Maps, shard: list[int], keep: frozenset[int], check: str, stage: int) -> None:
    for name, stack in maps.maps.items():
        for place, i in enumerate(shard):
            if i in keep:
                record.maps[f"{name}|{i}|{check}|{stage}"] = stack[place].float().cpu().contiguous()
