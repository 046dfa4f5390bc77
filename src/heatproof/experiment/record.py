"""What a run writes down about itself: all that its results depend on, and what the report prints."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ..checks.caveats import CAVEATS
from ..checks.draws import Draws, draw
from ..checks.explained import guess
from ..checks.kept_check import competitions
from ..checks.kinds import Stages
from ..checks.reasons import THRESHOLDS
from ..checks.subject import Subject
from ..checks.untouched import fixed_buffers, loose_tensors
from ..data.labels import class_name
from ..score import classes
from .budget import Choice
from .identity import (
    function_identity,
    images_hash,
    method_identity,
    model_fingerprint,
    nonce,
    tensor_hash,
    versions,
    weights_hash,
)
from .settings import Settings

ORDINARY = ("reset_parameters", "factory")
"""Sources of new weights that need no mention."""


def record(
    subject: Subject,
    settings: Settings,
    chosen: Choice,
    stages: Mapping[str, Stages],
    threads: int,
    kept: Sequence[int],
    original: Tensor,
    refused: Mapping[str, str],
) -> dict[str, Any]:
    """The configuration of a run.

    Args:
        subject: reduced to what was chosen.
        kept: places in the data set of the subject's images; original: the model's outputs for the whole of it.
    """
    about = settings.about or {}
    draws = draw(subject.model, subject.init, subject.std, subject.seed, subject.factory)
    listed = () if "classes" in stages else ("class_names",)  # long, and needed for the sheet of classes alone
    return {
        **{k: v for k, v in about.items() if k not in ("images", "warnings", *listed)},
        "model": about.get("model", type(subject.model).__name__),
        "dataset": about.get("dataset", "images"),
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": versions(),
        "checks": list(stages),
        "check_plan": {c: {"stages": s.positions, "names": s.names, "shares": s.shares} for c, s in stages.items()},
        **_randomisation(subject, draws),
        **identity_of(subject, original),
        "calibration_sha256": tensor_hash(subject.calibration),
        "randomised_sha256": tensor_hash(*draws.values.values()),  # changes with the factory, whatever code that runs
        "caveats": {check: CAVEATS[check] for check in stages if check in CAVEATS},
        "remarks": dict.fromkeys(competitions(subject.methods), CAVEATS["kept"]),
        "preset": settings.preset,
        "nulls": settings.nulls,
        "seeds": chosen.seeds,
        "budget": str(settings.budget),
        "faithfulness": settings.faithfulness,
        "keep_maps": settings.keep_maps,
        "methods": list(subject.methods),
        "refused": dict(refused),
        "metrics": list(subject.metrics),
        "chosen": {"effort": chosen.effort, "stages": chosen.stages, "seeds": chosen.seeds, "images": chosen.images},
        "thresholds": dict(THRESHOLDS),
        "device": subject.images.device.type,
        "dtype": str(subject.images.dtype),
        "threads": threads,
        "chunk": subject.chunk,
        "seed": subject.seed,
        "kept": list(kept),
        "image_shape": list(subject.images.shape[1:]),
        "class_count": classes(original, subject.score),
        "images": image_rows(subject, original[kept], kept, about),
        "warnings": _warnings(subject, draws, about),
    }


def _randomisation(subject: Subject, draws: Draws) -> dict[str, Any]:
    return {
        "blocks": [{"name": b.name, "tensors": list(b.tensors)} for b in subject.blocks],
        "init": subject.init if isinstance(subject.init, str) else tensor_hash(*subject.init.values()),
        "std": subject.std,
        "factory": subject.factory is not None,
        "batch_norm": subject.batch_norm,
        "classes": subject.classes,
        "draws": subject.draws,
        "noise": subject.noise,
        "sources": {n: s for n, s in draws.source.items() if s not in ORDINARY},
    }


def identity_of(subject: Subject, original: Tensor) -> dict[str, Any]:
    """What the results of any run on a subject depend on, besides how it is measured."""
    identities = {name: method_identity(explain) for name, explain in subject.methods.items()}
    return {
        "weights_sha256": weights_hash(subject.model),
        "images_sha256": images_hash(subject),
        "targets_sha256": tensor_hash(subject.targets),
        "fingerprint": model_fingerprint(subject.model),
        "original_sha256": tensor_hash(original),
        "score": getattr(subject.score, "__name__", "custom"),
        "score_identity": function_identity(subject.score) or nonce(),
        "method_identities": {n: i or nonce() for n, i in identities.items()},
    }


def unidentified(subject: Subject) -> list[str]:
    """A warning where code cannot be identified, so that its results are not resumed."""
    unknown = [name for name, explain in subject.methods.items() if method_identity(explain) is None]
    unknown += ["the score"] if function_identity(subject.score) is None else []
    return [f"not resumed, since their code cannot be identified: {', '.join(unknown)}"] if unknown else []


def _warnings(subject: Subject, draws: Draws, about: Mapping[str, Any]) -> list[str]:
    warnings = [*about.get("warnings", []), *unidentified(subject)]
    bare = [n for n, s in draws.source.items() if s == "normal(own std)"]
    for names, what in (
        (fixed_buffers(subject.model, draws), "buffers that randomisation leaves as they are"),
        (loose_tensors(subject.model), "tensors that are neither parameters nor buffers, left as they are"),
        (bare, "parameters without an initialiser, drawn from a normal of their own standard deviation"),
    ):
        if names:
            warnings.append(f"{what}: {', '.join(names[:5])} ({len(names)} in all)")
    return warnings


def image_rows(
    subject: Subject, original: Tensor, kept: Sequence[int], about: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What the report says of each image: name, label, explained and predicted class, probability."""
    rows = []
    found = guess(original, subject.score)
    chance = original.softmax(1) if original.dim() == 2 and original.shape[1] > 1 else None
    known, names = about.get("images", []), about.get("class_names", [])
    for i, place in enumerate(kept):
        row: dict[str, Any] = {"name": f"image {place}", **(known[place] if place < len(known) else {})}
        row |= {"target": int(subject.targets[i])} | ({} if found is None else {"predicted": int(found[i])})
        if names:
            row |= {f"{k}_name": class_name(names, int(row[k])) for k in ("target", "predicted") if k in row}
        if chance is not None and found is not None:
            row["probability"] = round(float(chance[i, found[i]]), 6)
        rows.append(row)
    return rows
