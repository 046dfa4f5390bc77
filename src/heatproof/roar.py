"""`roar` and `kar`: do maps point at the pixels that a classifier needs? Networks are trained anew without them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor, nn

from .experiment.cells import ordered
from .experiment.csv_files import write_csv, write_tables
from .experiment.folder import claim
from .experiment.retrain_results import RetrainResults, load_retrain
from .experiment.run import Progress, thread_count
from .faithfulness.retrain_jobs import run_all
from .faithfulness.retrain_original import original_network
from .faithfulness.retrain_plan import RetrainPlan, planned
from .faithfulness.retrain_settings import retrain_settings
from .notebook import shows
from .progress import Auto, bar, checked, shown, training_bar

TABLE_1 = (
    "rectgrad", "gradient", "guided_backprop", "smoothgrad", "gradient_x_input", "integrated_gradients", "deeplift",
)  # fmt: skip
"""The methods of the RectGrad paper's table 1, which has random removal beside them."""


@dataclass(frozen=True)
class Retrained:
    """What a run leaves: accuracies, areas, tidy rows, and the paths of the report and the run folder."""

    table: pd.DataFrame
    accuracies: pd.DataFrame
    areas: pd.DataFrame
    report: Path
    folder: Path
    results: RetrainResults

    _repr_html_ = shows("retrained")

    def to_csv(self, folder: str | Path) -> list[Path]:
        """Write every table of `results` into a folder as NAME.csv."""
        return write_tables(Path(folder), self.results)

    def __repr__(self) -> str:
        shown = self.areas[["direction", "method", "area", "lower", "upper"]].to_string(index=False)
        return f"Retrained({self.folder})\n{shown}\nreport: {self.report}"


def roar(
    model: nn.Module | None,
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    methods: Any = TABLE_1,
    *,
    progress: Progress | Auto = "auto",
    **settings: Any,
) -> Retrained:
    """Remove and retrain: accuracy of networks trained without the pixels that maps call salient; writes a run folder.

    Source: Hooker et al. 2019, arXiv:1806.10758, section 3, with maps of the predicted class; deviations: exactly
    round(fraction * pixels) are removed, ties in an order of chance for each image; all networks are paired; areas as in
    the RectGrad paper (Kim et al. 2019, table 1).

    Args:
        model: the trained network that is explained, in evaluation mode; None trains one from `factory` first.
        train, test: pixels float32 ``(N, C, H, W)`` in the model's units, and targets int64 ``(N,)``.
        methods: as in `heatproof.audit`; () with `maps` for precomputed ones alone.
        progress: as in `heatproof.audit`.
        **settings: see `heatproof.faithfulness.retrain_settings.RetrainSettings`; factory= is needed.

    Returns:
        `Retrained`, areas in [0, 1], lower is better; its folder resumes: the same call again does what is missing.

    Raises:
        HeatproofError: and leaves what was finished.
    """
    told = checked(progress)
    return run_retrain(plan_retrain(model, train, test, methods, **settings), told)


def kar(
    model: nn.Module | None,
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    methods: Any = TABLE_1,
    *,
    progress: Progress | Auto = "auto",
    **settings: Any,
) -> Retrained:
    """Keep and retrain: as `roar`, but fractions are of pixels that are kept, and areas are over the accuracy (AOC)."""
    return roar(model, train, test, methods, progress=progress, **{"directions": ("kar",), **settings})


def plan_retrain(
    model: nn.Module | None,
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    methods: Any = TABLE_1,
    **settings: Any,
) -> RetrainPlan:
    """Everything of a run but the work: checks the input and tries each method on one image.

    Args:
        model, train, test, methods, **settings: as in `roar`.

    Raises:
        InputError, ModelError.
    """
    return planned(model, train, test, methods, retrain_settings(settings))


def run_retrain(plan: RetrainPlan, progress: Progress | Auto = None) -> Retrained:
    """Run what is missing of a plan, then aggregate and report. Interrupted, it leaves every finished job.

    Args:
        progress: as in `heatproof.audit`; a function is called for jobs alone, not as the explained network is trained.
    """
    claim(plan.folder, plan.config, [key for key, _ in plan.jobs])
    task = plan.task
    if plan.trains and plan.left:
        training = shown(None if callable(progress) else progress, "explained network", training_bar)
        with thread_count(task.recipe.threads), training as told:
            network = original_network(task, plan.folder, str(plan.config["dataset"]), told)
        task = replace(task, model=network)
    with shown(progress, "jobs", bar) as step:
        run_all(task, plan.entries, plan.folder, plan.ranked, plan.trained, plan.workers, step)
    return read_retrain(plan.folder)


def read_retrain(folder: str | Path) -> Retrained:
    """Aggregate what a run folder holds and write its tables and report again."""
    from .report.retrain import render_retrain

    results = load_retrain(Path(folder))
    table = ordered(results.table, {**results.config, "methods": results.config["entries"]})
    for name, found in (("retrain", table), ("accuracies", results.accuracies), ("areas", results.areas)):
        write_csv(results.folder / f"{name}.csv", found)
    report = render_retrain(results)
    return Retrained(table, results.accuracies, results.areas, report, results.folder, results)
