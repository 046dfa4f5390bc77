"""From a job of the plan to what it measures."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from ..checks.calibration import calibrate
from ..checks.chain import chain, null_chain
from ..checks.class_maps import class_maps
from ..checks.efficient import efficient
from ..checks.kept_check import competitions as competing
from ..checks.kept_check import kept_job
from ..checks.kinds import COPIES, SIGMA
from ..checks.labels import labels_job
from ..checks.memory import memory_of
from ..checks.planted import PlantedPair, planted_job, planted_pair
from ..checks.random_logit import random_logit
from ..checks.smooth_check import smoothed
from ..checks.subject import Record, Subject
from ..engine.model import own
from ..errors import InputError
from ..faithfulness.quick import quick_faithfulness
from ..train import Progress
from ..types import Explain
from .folder import PLANTED
from .jobs import Job
from .room import with_room
from .settings import Settings

__all__ = ["competing", "planted_networks", "work"]

CLASS_METHODS = ("gradient_x_input", "cgi")
"""The rows of the sheet of all-class maps where the audit has no competition of its own."""


@dataclass(frozen=True)
class Setup:
    """Gives the work of an audit's jobs, in this process or in another."""

    subject: Subject
    settings: Settings
    folder: Path

    def __call__(self) -> Callable[[Job], Record]:
        subject = replace(self.subject, model=own(self.subject.model))
        return lambda j: with_room(j, subject, lambda j, subject: work(j, subject, self.settings, self.folder))

    def copied(self) -> Setup:
        """With tensors of its own: sending it puts them into shared memory, and the user's are to stay where they are."""
        return copy.deepcopy(self)


def work(j: Job, subject: Subject, settings: Settings, folder: Path) -> Record:
    """Do one job. folder: of the run, where networks that a check trains are kept."""
    shard = list(j["shard"])
    match j.kind:
        case "chain":
            one = _smooth(subject) if j["check"] == "smooth" else subject
            return chain(one, shard, j["check"], j["seed"], tuple(j["stages"]), frozenset(j["keep"]))
        case "null":
            return null_chain(subject, shard, j["networks"], frozenset(j["keep"]))
        case "smooth_null":
            return null_chain(_smooth(subject), shard, j["networks"], frozenset(), "smooth_null", "smooth_prior")
        case "faithfulness":
            return quick_faithfulness(subject, shard)
        case "labels":
            return labels_job(subject, shard, j["pair"], _permuted(settings, j["pair"], subject.images.device))
        case "random_logit":
            return random_logit(subject, shard, j["seed"])
        case "efficient":
            return efficient(subject, shard, j["networks"])
        case "calibration":
            return calibrate(subject, shard)
        case "kept":
            return kept_job(subject, shard, j["seed"])
        case "classes":
            return class_maps(subject, shard, _class_methods(subject))
        case "planted":
            return planted_job(subject.methods, subject.metrics, planted_networks(folder, subject.seed))
    raise InputError(f"there is no job of kind {j.kind!r}")


def _smooth(subject: Subject) -> Subject:
    return memory_of(subject).other("smooth", lambda: smoothed(subject, COPIES, SIGMA))


def planted_networks(folder: Path, seed: int, progress: Progress | None = None) -> PlantedPair:
    """The networks of the check planted, from a run's folder, or trained into it. progress: (steps, in all, a word)."""
    return planted_pair(folder / PLANTED, seed, progress=progress)


def _class_methods(subject: Subject) -> Sequence[Explain | str]:
    """Every competition of the audit under the method inside it."""
    pairs = [(inner, subject.methods[name]) for name, inner in competing(subject.methods).items()]
    return [method for pair in pairs for method in pair] or CLASS_METHODS


def _permuted(settings: Settings, number: int, device: torch.device) -> nn.Module:
    if settings.labels is None:
        raise InputError("the check labels needs labels=, the pair of networks that it compares")
    return own(settings.labels.permuted[number]).to(device)
