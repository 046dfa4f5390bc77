"""What one job of an audit computes: one shard of images under the original network and under all variants of it.

A chain explains the original once and compares every stage with it; the null networks of a shard are one chain too. All
methods share the passes of a variant. Nothing here touches a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .compared import compare
from .explained import explain_all, note_said
from .kinds import CHECKS
from .memory import memory_of
from .randomize import Stage, randomize
from .subject import Maps, Record, Subject

NULL_SEEDS = 1_000_000
"""Null networks take their seeds from here on, the cascade from 0: the two never meet."""


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
        keep: images whose original maps are kept.
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


def null_stage(subject: Subject, number: int) -> Stage:
    """A fully randomised network; number 1 and on, the same in every shard, never one of a check's stages.

    Where the check goes towards another checkpoint, which is one network and no sample, nulls are drawn as by "original".
    """
    drawn = subject
    if not isinstance(subject.init, str):
        drawn = memory_of(subject).other("init", lambda: replace(subject, init="original"))
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


def keep_maps(record: Record, maps: Maps, shard: list[int], keep: frozenset[int], check: str, stage: int) -> None:
    for name, stack in maps.maps.items():
        for place, i in enumerate(shard):
            if i in keep:
                record.maps[f"{name}|{i}|{check}|{stage}"] = stack[place].float().cpu().contiguous()
