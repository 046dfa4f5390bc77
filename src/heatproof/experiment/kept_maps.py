"""The raw maps that a run or `explain` left in its folder, by image and method."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import InputError, RunError
from .files import read_job, read_maps
from .folder import CONFIG, read_config
from .run import finished

Maps = dict[str, dict[str, Tensor]]
"""For each image, by its name, float32 ``(C, H, W)`` or ``(1, H, W)`` by method."""


def kept_maps(folder: Path, stages: bool = False) -> Maps:
    """Maps of the original network, as far as they were kept.

    Args:
        folder: of an audit, or of `explain`.
        stages: also those of randomised networks, under METHOD|CHECK|STAGE|SEED.

    Raises:
        RunError: jobs that are not finished, or damaged maps. InputError: no maps there.
    """
    found = _of_run(folder, stages) if (folder / CONFIG).exists() else _of_explain(folder)
    if not found:
        raise InputError(
            f"{folder} holds no maps; an audit keeps those of a few photos, or of all with --keep-maps all"
        )
    return found


def _of_explain(folder: Path) -> Maps:
    return {path.stem: read_maps(path) for path in sorted(folder.glob("*.safetensors"))}


def _of_run(folder: Path, stages: bool) -> Maps:
    config = read_config(folder, "jobs")
    if "check_plan" not in config:
        raise InputError(f"{folder} is no audit, and other runs keep no maps; its tables are there with --to csv")
    if left := sum(not finished(folder, key) for key in config["jobs"]):
        raise RunError(f"{left} of {len(config['jobs'])} jobs in {folder} are not finished; run the same command again")
    found: Maps = {}
    for image, method, name, values in _all(folder, config):
        if stages or name == method:
            found.setdefault(config["images"][image]["name"], {})[name] = values
    order = {method: place for place, method in enumerate(config["methods"])}
    return {
        image: dict(sorted(held.items(), key=lambda pair: order.get(pair[0].split("|")[0], len(order))))
        for image, held in found.items()
    }


def _all(folder: Path, config: dict[str, Any]) -> Iterator[tuple[int, str, str, Tensor]]:
    """Image, method, name and values of every map; the name of one of the original network is the method's alone."""
    for key in config["jobs"]:
        job = read_job(folder / "jobs" / f"{key}.json")
        if not job or not job["maps"] or job["job"]["kind"] == "classes":
            continue
        for told, values in read_maps(folder / "maps" / job["maps"]).items():
            method, image, check, stage = told.rsplit("|", 3)
            original = stage == "0" and job["job"]["kind"] == "chain"
            seed = job["job"].get("seed", 0)
            yield int(image), method, method if original else f"{method}|{check}|{stage}|{seed}", values
