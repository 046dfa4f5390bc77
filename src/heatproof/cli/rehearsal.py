"""A look at the run folder before minutes of training, from a plan with untrained networks."""

from __future__ import annotations

import json

from ..audit import AuditPlan
from ..errors import RunError
from ..experiment.folder import NETWORKS, NOT_IDENTITY, read_config

OF_WEIGHTS = (
    "jobs", "labels", "weights_sha256", "fingerprint", "original_sha256", "targets_sha256", "randomised_sha256",
    "sources", "refused",
)  # fmt: skip
"""What training changes in a configuration."""


def check_free(plan: AuditPlan) -> None:
    """Whether the run of this plan may go into its folder, once the networks are trained.

    Raises:
        RunError: the folder holds another run, or something that is no run.
    """
    folder = plan.folder
    if (folder / "config.json").exists():
        held, asked = read_config(folder), json.loads(json.dumps(plan.config, default=str))
        keys = sorted((held.keys() | asked.keys()) - {*NOT_IDENTITY, *OF_WEIGHTS})
        if other := [key for key in keys if held.get(key) != asked.get(key)]:
            raise RunError(
                f"{folder} holds another run (its {', '.join(other[:4])} differ); choose another folder with --out, or "
                "delete it. Nothing was trained"
            )
    elif folder.is_file() or (folder.exists() and any(found.name not in NETWORKS for found in folder.iterdir())):
        raise RunError(f"{folder} is not empty and holds no run; choose another folder with --out. Nothing was trained")
