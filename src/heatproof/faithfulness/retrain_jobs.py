"""The jobs of a remove-and-retrain run: what each depends on, and how they are run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any

from torch import Tensor

from ..checks.subject import Record
from ..engine.chunks import chunk_slices
from ..engine.model import own
from ..experiment.files import read_rows
from ..experiment.jobs import Job, job, shards
from ..experiment.pool import run_jobs_in_processes
from ..experiment.run import Progress, finished, run_job, thread_count
from .retrain import failed, retrain
from .retrain_data import PARTS, Entry, stored_ranks
from .retrain_fit import processes
from .retrain_ranks import rank_shard
from .retrain_task import SHARD, Ranks, Task, Variant

ORIGINAL = Entry("(original)", "")
"""Networks on unchanged images."""

Keyed = list[tuple[str, Job]]


def rank_jobs(counts: Mapping[str, int], depends: Mapping[str, Any]) -> Keyed:
    """One job for each shard of train and test images, which ranks it under every method."""
    planned = [
        job("ranks", part=part, start=shard[0], stop=shard[-1] + 1)
        for part in PARTS
        for shard in shards(counts[part], SHARD)
    ]
    return [(j.key(dict(depends)), j) for j in planned]


def retrain_jobs(
    entries: Sequence[Entry],
    directions: Sequence[str],
    fractions: Sequence[float],
    seeds: Sequence[int],
    depends: Mapping[str, Any],
    ranked: Keyed,
) -> Keyed:
    """One job for each network: on unchanged images, and for each entry, direction and fraction."""
    plain = [job("original", seed=seed) for seed in seeds]
    modified = [
        job("retrain", entry=entry.name, direction=direction, place=place, fraction=fraction, seed=seed)
        for entry in entries
        for direction in directions
        for place, fraction in enumerate(fractions, 1)
        for seed in seeds
    ]
    held = {**depends, "ranks": [key for key, _ in ranked]}
    return [(j.key(dict(depends)), j) for j in plain] + [(j.key(held), j) for j in modified]


class Work:
    """What the jobs of a run do, in one process. Built there by `setup`, since twins of models do not travel.

    Args:
        ranked: rank jobs, whose files the retrain jobs read.
    """

    def __init__(self, task: Task, entries: Sequence[Entry], folder: Path, ranked: Keyed) -> None:
        self.task = replace(task, model=own(task.model))
        self.entries = {entry.name: entry for entry in entries}
        self.folder = folder
        self.ranked = ranked
        self._ranks = lru_cache(maxsize=1)(self._read)

    def __call__(self, j: Job) -> Record:
        if j.kind == "ranks":
            return rank_shard(self.task, j["part"], range(j["start"], j["stop"]))
        return self.stacked([j])[0]

    def stacked(self, jobs: Sequence[Job]) -> list[Record]:
        """Networks of one entry, trained at once."""
        variants = [self._variant(j) for j in jobs]
        entry = variants[0].entry
        if entry == ORIGINAL:
            return retrain(self.task, variants, None)
        found = self._ranks(entry.ranks)
        if found is None:
            error = self._error(entry.ranks)
            return [failed(variant, error) for variant in variants]
        return retrain(self.task, variants, found)

    def _variant(self, j: Job) -> Variant:
        if j.kind == "original":
            return Variant(ORIGINAL, "original", 0, None, j["seed"])
        return Variant(self.entries[j["entry"]], j["direction"], j["place"], j["fraction"], j["seed"])

    def _read(self, name: str) -> Ranks | None:
        train, test = (self._part(part, name) for part in PARTS)
        return None if train is None or test is None else (train, test)

    def _part(self, part: str, name: str) -> Tensor | None:
        files = [self.folder / "maps" / f"{key}.safetensors" for key, j in self.ranked if j["part"] == part]
        found = stored_ranks(files, name) if all(path.exists() for path in files) else None
        return None if found is None else found.to(self.task.recipe.device)

    def _error(self, name: str) -> str:
        rows = [r for key, _ in self.ranked for r in read_rows(self.folder / "jobs" / f"{key}.json") or []]
        return str(next(r[8] for r in rows if r[0] == name and r[8]))


def setup(task: Task, entries: Sequence[Entry], folder: Path, ranked: Keyed) -> Work:
    """The work of one process."""
    return Work(task, entries, folder, ranked)


def run_all(
    task: Task, entries: Sequence[Entry], folder: Path, ranked: Keyed, trained: Keyed, workers: int | None,
    progress: Progress | None,
) -> None:  # fmt: skip
    """Run what is missing: ranks first, then networks, side by side or stacked."""
    r = task.recipe
    make = partial(setup, task, entries, folder, ranked)
    total = len(ranked) + len(trained)
    first = _part_of(progress, 0, total)
    then = _part_of(progress, len(ranked), total)
    side = processes(r, workers)
    run_jobs_in_processes(ranked, make, folder, r.threads, side, first)
    if r.stack == 1:
        run_jobs_in_processes(trained, make, folder, r.threads, side, then)
    else:
        _run_stacked(trained, make, folder, r.threads, r.stack, then)


def _run_stacked(
    keyed: Keyed, make: Callable[[], Work], folder: Path, threads: int, size: int, progress: Progress | None
) -> None:
    """Groups are fixed by the plan: where a network of one is missing, all of it is trained again."""
    todo = [group for group in _groups(keyed, size) if not all(finished(folder, key) for key, _ in group)]
    done = len(keyed) - sum(map(len, todo))
    work, start, before = make(), time.monotonic(), done
    for group in todo:
        if progress:
            each = (time.monotonic() - start) / (done - before) if done > before else None
            progress(done, len(keyed), each * (len(keyed) - done) if each else None)
        with thread_count(threads):
            records = work.stacked([j for _, j in group])
        for (key, j), record in zip(group, records, strict=True):
            run_job(key, j, lambda _, produced=record: produced, folder, threads)  # type: ignore[misc]
        done += len(group)
    if progress:
        progress(len(keyed), len(keyed), 0.0)


def _groups(keyed: Keyed, size: int) -> Iterator[Keyed]:
    """Networks of one entry and direction, at most `size` of them."""
    for _, found in groupby(keyed, key=lambda pair: [dict(pair[1].params).get(k) for k in ("entry", "direction")]):
        group = list(found)
        yield from (group[part] for part in chunk_slices(len(group), size))


def _part_of(progress: Progress | None, before: int, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, _, left: progress(before + done, total, left)
