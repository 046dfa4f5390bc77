"""A look at the run folder before minutes of training, from a plan with untrained networks."""

from __future__ import annotations

from ..audit import AuditPlan
from ..bench import BenchPlan
from ..errors import RunError
from ..experiment.files import check_makeable
from ..experiment.folder import differences, holds_no_run

OF_WEIGHTS = (
    "labels", "weights_sha256", "fingerprint", "original_sha256", "targets_sha256", "randomised_sha256",
    "sources", "refused", "patch",
)  # fmt: skip
"""What training changes in a configuration."""


def check_before_training(plan: AuditPlan | BenchPlan) -> None:
    """Whether the run of this plan may go into its folder, once the networks are trained.

    Raises:
        RunError: the folder holds another run, or something that is no run, or cannot be made.
    """
    folder = plan.folder
    if other := sorted(key for key, _, _ in differences(folder, plan.config) if key not in OF_WEIGHTS):
        raise RunError(
            f"{folder} holds another run (its {', '.join(other[:4])} differ); choose another folder with --out, or "
            "delete it. Nothing was trained"
        )
    if holds_no_run(folder):
        raise RunError(f"{folder} is not empty and holds no run; choose another folder with --out. Nothing was trained")
    check_makeable(folder)
