"""The jobs of an audit, as a pure plan, and what each one's result depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..checks.kinds import CHECKS, Stages
from ..checks.subject import Subject
from ..types import spec_of
from .identity import images_hash
from .jobs import Job, job, shards

DEPENDS = (
    "versions", "weights_sha256", "calibration_sha256", "fingerprint", "blocks", "init", "std", "factory", "batch_norm",
    "classes", "draws", "noise", "method_identities", "metrics", "score", "score_identity", "original_sha256",
    "randomised_sha256", "device", "dtype", "threads", "chunk", "seed",
)  # fmt: skip
"""What every result of an audit depends on, by its key in the configuration."""


@dataclass(frozen=True)
class Work:
    """What is to be measured. stages: of each check; networks: of the floor; pairs: networks with permuted labels;
    strips: photos whose maps are kept at every stage; photos: those whose original maps are; keep_maps: see `Settings`."""

    images: int
    seeds: int
    networks: int
    stages: Mapping[str, Stages]
    faithfulness: bool
    keep_maps: str
    strips: tuple[int, ...]
    photos: tuple[int, ...]
    pairs: int
    chunk: int


def planned_jobs(work: Work) -> list[Job]:
    """One job for each shard of images and each chain of networks, which holds the original and all its stages."""
    planned = [j for shard in shards(work.images, work.chunk) for j in _of_shard(work, shard)]
    return planned + ([job("planted", shard=[])] if "planted" in work.stages else [])


def _of_shard(work: Work, shard: list[int]) -> Iterator[Job]:
    strip = [i for i in shard if i in work.strips and work.keep_maps != "none"]
    everything = shard if work.keep_maps == "all" else []
    photos = [i for i in shard if i in work.photos]
    yield job("null", shard=shard, networks=work.networks, keep=everything or photos)
    if "smooth" in work.stages:
        yield job("smooth_null", shard=shard, networks=work.networks, keep=[])
    if work.faithfulness:
        yield job("faithfulness", shard=shard)
    for check, stages in work.stages.items():
        if CHECKS[check].order:
            for seed in range(work.seeds):
                keep = everything or (strip if seed == 0 else [])
                yield job("chain", check=check, shard=shard, seed=seed, stages=list(stages.positions), keep=keep)
        elif check == "classes":
            if shown := [i for i in shard if i in work.strips]:  # its maps are what it is for
                yield job("classes", shard=shown)
        elif check != "planted":
            for parameters in _repeats(check, work):
                yield job(check, shard=shard, **parameters)


def _repeats(check: str, work: Work) -> list[dict[str, Any]]:
    """The parameters of each of a check's jobs on a shard."""
    if check in ("random_logit", "kept"):
        return [{"seed": seed} for seed in range(work.seeds)]
    if check == "labels":
        return [{"pair": pair} for pair in range(work.pairs)]
    return [{"networks": work.networks}] if check == "efficient" else [{}]


def depends(subject: Subject, config: Mapping[str, Any], j: Job) -> dict[str, Any]:
    """All that the result of a job depends on, besides the job itself."""
    held = {k: config[k] for k in DEPENDS}
    if j.kind == "planted":
        return {**held, "planted": config["planted"]}
    shard = list(j["shard"])
    extra: dict[str, Any] = {"pixels": [images_hash(subject, shard), subject.targets[shard].tolist()]}
    if j.kind == "labels":
        extra["permuted"] = config["labels"]["permuted_sha256"][j["pair"]]
    if j.kind == "calibration" and subject.black is not None:
        extra["black"] = subject.black.tolist()
    return {**held, **extra}


def megabytes(subject: Subject, planned: Sequence[Job]) -> float:
    """Disk that the maps of a run will take, MB."""
    _, channels, height, width = subject.images.shape
    each = sum((channels if spec is None or spec.channels else 1) for spec in map(spec_of, subject.methods.values()))
    kept = sum(len(p.get("keep", ())) * (len(p.get("stages", ())) + 1) for p in (dict(j.params) for j in planned))
    return kept * each * height * width * 4 / 1e6
