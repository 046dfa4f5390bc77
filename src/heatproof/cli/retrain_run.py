"""What is retrained in ``bench roar`` and ``bench kar``, and what they print: plan before, tables after."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..faithfulness.retrain_plan import RetrainPlan
from ..faithfulness.retrain_presets import PRESETS, Preset
from ..models.spec import LoadedModel, load_model
from ..report.bench_export import retrain_figures
from ..report.retrain_tables import interval_words, retrain_tables
from ..roar import Retrained
from .console import console, print_files, working
from .result import Result
from .retrain_sets import Sets
from .tables import print_tables, records


def preset_named(name: str | None) -> Preset:
    """What --preset stands for; nothing where it is left out."""
    if name is None:
        return Preset()
    if name not in PRESETS:
        raise InputError(f"--preset {name!r}; expected {' or '.join(PRESETS)}")
    return PRESETS[name]


def retrained_network(model: str | None, weights: Path | None, held: Preset, device: str) -> LoadedModel:
    """The network that is retrained, as --model or the preset names it."""
    spec = model or held.model
    if spec is None:
        raise InputError("give --model, a factory of the network to retrain, or --preset, which brings one")
    with working(f"loading {spec}"):
        loaded = load_model(spec, weights, device=device)
    if loaded.factory is None:
        raise InputError(f"{spec} makes no network with random weights, and networks are retrained here from such; give a "
                         "factory: package.module:Network or file.py:function")  # fmt: skip
    return loaded


def about_retrain(
    loaded: LoadedModel, data: Path, sets: Sets, preset: str | None, beside: Mapping[str, Any]
) -> dict[str, Any]:
    """What the report says of network, data and preset."""
    return {
        "model": loaded.name,
        "dataset": data.name,
        "command": shlex.join(["heatproof", *sys.argv[1:]]),
        "preset": preset,
        "reduced": [],
        "published": {},
        **beside,
        "warnings": [*sets.notes, *beside.get("warnings", ())],
    }


def print_plan(plan: RetrainPlan) -> None:
    """How many networks will be trained on what; what was refused and why; what a preset reduced."""
    c = plan.config
    for name, reason in plan.refused.items():
        console.print(f"refused: {name}: {reason}", style="yellow")
    for note in (*c.get("warnings", ()), *c.get("reduced", ())):
        console.print(f"note: {note}", style="yellow")
    train, test = (len(part[0]) for part in (plan.task.train, plan.task.test))
    console.print(
        f"{len(plan.entries)} entries, {len(plan.trained)} networks trained on {train} images and tested on {test}: "
        f"{plan.task.recipe.epochs} epochs each",
        markup=False,
    )
    done = len(plan.jobs) - plan.left
    console.print(
        f"{len(plan.jobs)} jobs{f', {done} of them finished' if done else ''}, in {plan.folder}", markup=False
    )


def plan_facts(plan: RetrainPlan) -> dict[str, Any]:
    """The plan as keys of a document."""
    found = {"jobs": len(plan.jobs), "jobs_left": plan.left, "networks": len(plan.trained), "folder": plan.folder}
    return {**found, "refused": plan.refused, "warnings": plan.config.get("warnings", [])}


def finish(done: Retrained, format: str | None) -> Result:
    """The tables, and where the files are."""
    print_tables(retrain_tables(done.results))
    console.print(interval_words(done.results))
    drawn = retrain_figures(done.results, format) if format else None  # type: ignore[arg-type]
    results = done.results
    facts = {
        "areas": records(results.areas),
        "accuracies": records(results.accuracies),
        "refused": records(results.refused),
    }
    files = print_files(done.folder, done.report, drawn)
    return Result([done.report], {**files, **facts, "warnings": results.config.get("warnings", [])})
