"""The configuration of a remove-and-retrain run: what was asked, and what each result depends on."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from torch import nn

from ..engine.model import own
from ..experiment.identity import method_identity, model_fingerprint, nonce, tensor_hash, versions, weights_hash
from .retrain_settings import RetrainSettings
from .retrain_task import Task

RETRAINED = ("versions", "recipe", "network_sha256", "network", "train_sha256", "test_sha256", "colours_sha256")
"""What a retrained network depends on besides its ranks, by its key in the configuration."""
RANKED = (
    *RETRAINED, "weights_sha256", "fingerprint", "method_identities", "maps_sha256", "rules", "blurred", "chunk", "seed",
)  # fmt: skip
"""What ranks depend on."""


def configuration(
    task: Task, first: nn.Module, shown: Sequence[str], s: RetrainSettings, trains: bool, refused: Mapping[str, str]
) -> dict[str, Any]:
    """Everything that is recorded.

    Args:
        first: a random network of the factory. shown: entries that are no controls.
        trains: the explained network is trained by the run, so that its weights follow from everything else.
    """
    about = dict(s.about or {})
    warnings = [*about.pop("warnings", []), *_warnings(task, first)]
    identities = {name: method_identity(explain) or nonce() for name, explain in task.methods.items()}
    return {
        **about,
        "model": about.get("model", type(first).__name__),
        "dataset": about.get("dataset", "images"),
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": versions(),
        "directions": list(s.directions),
        "fractions": list(s.fractions),
        "networks": s.networks,
        "rank": s.rank,
        "methods": list(shown),
        "refused": dict(refused),
        "warnings": warnings,
        "counts": {"train": len(task.train[0]), "test": len(task.test[0])},
        "image_shape": list(task.train[0].shape[1:]),
        "recipe": asdict(task.recipe),
        "network": model_fingerprint(own(first)),
        "network_sha256": weights_hash(first),
        "train_sha256": tensor_hash(*task.train),
        "test_sha256": tensor_hash(*task.test),
        "colours_sha256": tensor_hash(task.colours.fill, task.colours.dark, task.colours.light),
        "weights_sha256": "trained by this run" if trains else weights_hash(task.model),
        "fingerprint": model_fingerprint(task.model),
        "method_identities": identities,
        "maps_sha256": {name: tensor_hash(*pair) for name, pair in task.maps.items()},
        "rules": dict(task.rules),
        "blurred": list(task.blurred),
        "chunk": task.chunk,
        "seed": task.seed,
    }


def _warnings(task: Task, first: nn.Module) -> list[str]:
    told = []
    if model_fingerprint(own(first)) != model_fingerprint(task.model):
        told.append("the retrained networks are of another architecture than the explained one")
    unknown = [name for name, explain in task.methods.items() if method_identity(explain) is None]
    if unknown:
        told.append(f"not resumed, since their code cannot be identified: {', '.join(unknown)}")
    return told
