"""The configuration of a run, in groups that people look for; a key nobody planned for is shown as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GROUPS = {
    "Model and data": (
        "model",
        "weights_sha256",
        "fingerprint",
        "dataset",
        "images_sha256",
        "targets_sha256",
        "calibration_sha256",
    ),
    "Randomisation": (
        "checks",
        "check_plan",
        "stages",
        "init",
        "std",
        "factory",
        "sources",
        "batch_norm",
        "draws",
        "noise",
        "classes",
        "preset",
        "seeds",
        "nulls",
        "seed",
    ),
    "Judging": ("methods", "controls", "metrics", "thresholds", "score", "labels"),
    "Run": ("date", "command", "device", "dtype", "threads", "chunk", "budget", "chosen", "versions"),
}
LABELS = {
    "weights_sha256": "SHA-256 of the weights",
    "images_sha256": "SHA-256 of the images",
    "targets_sha256": "SHA-256 of the targets",
    "calibration_sha256": "SHA-256 of the calibration batch",
    "fingerprint": "fingerprint of the code",
    "init": "new weights",
    "std": "their standard deviation",
    "factory": "fresh instance",
    "batch_norm": "batch-norm policy",
    "sources": "weights from another source than their initialiser",
    "draws": "draws of new weights",
    "noise": "noise of SmoothGrad",
    "classes": "class policy",
    "nulls": "networks behind the floor",
    "seed": "base seed",
    "stages": "stages measured",
    "check_plan": "stages of each check",
    "labels": "label check",
    "chosen": "chosen by the budget",
    "chunk": "images a chunk",
    "photos": "photos shown with their maps",
}
_ELSEWHERE = ("blocks", "images", "warnings", "refused", "caveats", "remarks", "class_names")


def settings(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Group -> label -> value, only what the run recorded. Blocks, images and warnings have tables of their own."""
    known = {key for keys in GROUPS.values() for key in keys}
    groups = {title: {label(k): config[k] for k in keys if k in config} for title, keys in GROUPS.items()}
    groups["Other"] = {label(k): v for k, v in config.items() if k not in known and k not in _ELSEWHERE}
    return {title: entries for title, entries in groups.items() if entries}


def label(key: str) -> str:
    """How a key of the configuration is written for people."""
    return LABELS.get(key, str(key).replace("_", " "))
