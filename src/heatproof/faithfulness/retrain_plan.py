"""Everything of a remove-and-retrain run but the work: input checked, methods tried, jobs under their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from ..audit import placed
from ..checks.explained import needs_model
from ..checks.subject import Subject
from ..errors import InputError
from ..experiment.run import finished, thread_count
from ..experiment.trial import try_methods
from ..methods.edge_map import edge_map
from ..methods.random_map import random_map
from ..named import named_methods
from ..score import logit
from ..training.options import chosen as options
from .retrain_config import RANKED, RETRAINED, configuration
from .retrain_data import PARTS, Entry, palette
from .retrain_fit import chunk_for, not_side_by_side, not_stacked
from .retrain_input import Data, check_sets, first_network, float_maps
from .retrain_jobs import Keyed, rank_jobs, retrain_jobs
from .retrain_ranks import blurred_name
from .retrain_settings import RetrainSettings
from .retrain_task import Recipe, Task

CONTROL_MAPS = {"random": random_map, "edge": edge_map}
SEEDS = 1000
"""Networks take the seeds seed * 1000 and on."""


@dataclass(frozen=True)
class RetrainPlan:
    """A run that is ready: what its jobs share, its rank jobs and its trainings under their keys.

    trains: the explained network was not given and is trained first; until then the task holds a random one.
    """

    task: Task
    entries: tuple[Entry, ...]
    config: dict[str, Any]
    ranked: Keyed
    trained: Keyed
    folder: Path
    workers: int | None
    trains: bool

    @property
    def jobs(self) -> Keyed:
        return [*self.ranked, *self.trained]

    @property
    def refused(self) -> dict[str, str]:
        """Methods that cannot run on the model, and why."""
        return dict(self.config["refused"])

    @property
    def left(self) -> int:
        """Jobs that are not finished."""
        return sum(not finished(self.folder, key) for key, _ in self.jobs)


def planned(model: nn.Module | None, train: Data, test: Data, methods: Any, s: RetrainSettings) -> RetrainPlan:
    """The plan of a run; see `heatproof.roar.plan_retrain`."""
    check_sets(train, test)
    maps = float_maps(s.maps or {}, train, test)
    named = _named(methods, maps)
    with thread_count(s.threads):
        first = first_network(s.network, train, test)
        task = _task(first if model is None else model, train, test, s)
        single = not_stacked(task)
        tried = try_methods(_subject(task, named)) if named else None
    usable = dict(tried.usable) if tried else {}
    shown, controls = (*usable, *maps), [name for name in CONTROL_MAPS if name in s.controls]
    task = replace(
        task,
        methods={**usable, **{name: CONTROL_MAPS[name] for name in controls}},
        maps=maps,
        rules={name: s.rule(usable.get(name)) for name in (*shown, *controls)},
        blurred=shown if "blurred" in s.controls else (),
        recipe=replace(task.recipe, stack=1) if single else task.recipe,
    )
    trains = model is None and any(map(needs_model, usable.values()))
    config = configuration(task, first, shown, s, trains, tried.refused if tried else {})
    config["warnings"] += [why for why in (single, not_side_by_side(task, s.workers)) if why]
    return _with_jobs(task, _entries(shown, controls, s), config, s, trains)


def _named(methods: Any, maps: Mapping[str, Any]) -> dict[str, Any]:
    named = {} if maps and not methods else named_methods(methods)
    _check_names([*named, *maps, *CONTROL_MAPS])
    return named


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two entries would be called {name!r}; give a dict with other names")


def _task(model: nn.Module, train: Data, test: Data, s: RetrainSettings) -> Task:
    private, pixels = placed(model, train[0], s.device)
    device = pixels.device
    chosen = options(
        model, s.epochs, s.batch, s.lr, s.optimizer, s.weight_decay, None, s.schedule, s.seed, None, s.bf16, device
    )
    there = (pixels, train[1].to(device)), (test[0].to(device), test[1].to(device))
    stack = s.stack or (len(s.fractions) * s.networks if device.type == "cuda" else 1)
    recipe = Recipe(
        s.epochs, s.batch, s.lr, s.optimizer, s.weight_decay, s.schedule, chosen.bf16, chosen.device, s.threads, stack
    )
    chunk = s.chunk or chunk_for(device.type, *pixels.shape[2:])
    return Task(private, *there, s.network, {}, {}, {}, (), palette(pixels, s.fill), recipe, chunk, s.seed)


def _subject(task: Task, methods: Mapping[str, Any]) -> Subject:
    """One image, for a first try of every method."""
    pixels, targets = (part[: task.chunk] for part in task.train)
    return Subject(task.model, pixels, targets, methods, (), logit, (), pixels, chunk=task.chunk, seed=task.seed)


def _entries(shown: Sequence[str], controls: Sequence[str], s: RetrainSettings) -> tuple[Entry, ...]:
    entries = [Entry(name, name) for name in (*shown, *controls)]
    if "blurred" in s.controls:
        entries += [Entry(blurred_name(name), blurred_name(name)) for name in shown]
    if "mask" in s.controls:
        entries += [Entry(f"{name}, mask only", name, picture=True) for name in shown]
    _check_names([entry.name for entry in entries])
    return tuple(entries)


def _with_jobs(
    task: Task, entries: tuple[Entry, ...], config: dict[str, Any], s: RetrainSettings, trains: bool
) -> RetrainPlan:
    seeds = [SEEDS * s.seed + n for n in range(s.networks)]
    held = {key: config[key] for key in RETRAINED}
    ranked = rank_jobs({part: len(task.part(part)[0]) for part in PARTS}, {key: config[key] for key in RANKED})
    trained = retrain_jobs(entries, s.directions, s.fractions, seeds, held, ranked)
    names = [entry.name for entry in entries]
    config |= {"entries": names, "controls": [name for name in names if name not in config["methods"]]}
    config["pictures"] = [entry.name for entry in entries if entry.picture]
    return RetrainPlan(task, entries, config, ranked, trained, s.folder, s.workers, trains)
