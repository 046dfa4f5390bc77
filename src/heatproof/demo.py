"""`demo`: everything on data that comes with it. The true place of each digit is known, so maps are measured against it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from .audit import AuditPlan, plan_audit
from .checks.explained import explain_all
from .checks.subject import Subject
from .data.digits import Scenes, digit_scenes
from .engine.chunks import padded
from .engine.model import counted_rows
from .experiment.csv_files import write_csv
from .experiment.files import check_makeable
from .explain import explain
from .models.nets.demo_net import demo_network
from .models.nets.small_cnn import SmallCNN
from .score import logit
from .types import METHODS, Explain

SHEETS = 6
PASSES = 100
BUDGET = "2m"
WORKERS = 4
TEST_SEED = 1
DIGITS = [f"digit {d}" for d in range(10)]


@dataclass(frozen=True)
class Demo:
    """What the demo is about: the trained network with its card, and test scenes with their true masks."""

    model: torch.nn.Module
    card: dict[str, Any]
    scenes: Scenes


def prepare(folder: Path, images: int, seed: int, progress: Callable[..., object] | None = None) -> Demo:
    """Train the network, or read it from the folder where it was trained before; draw the test scenes.

    Raises:
        HeatproofError: no folder can be made, scikit-learn is missing, or the network does not reach 97 % on unseen scenes.
    """
    check_makeable(folder)
    model, card = demo_network(folder / "network.safetensors", seed=seed, progress=progress)
    return Demo(model, dict(card), digit_scenes("test", images, TEST_SEED))


def draw_sheets(demo: Demo, folder: Path) -> list[Path]:
    """Sheets of the first scenes with all methods."""
    few = min(SHEETS, len(demo.scenes.pixels))
    done = explain(
        demo.model,
        demo.scenes.pixels[:few],
        methods=list(METHODS),
        out=folder / "sheets",
        names=_names(few),
        class_names=DIGITS,
        photos=lambda i: _picture(demo, i),
    )
    return done.sheets


def quick_methods(demo: Demo) -> list[str]:
    """The methods that run the network at most `PASSES` times for a map: with the others the audit would take an hour."""
    x, target = demo.scenes.pixels[:1], demo.scenes.targets[:1]
    found = []
    for name, method in METHODS.items():
        with counted_rows() as rows:
            method(demo.model, x, target)
        found += [name] if rows[0] <= PASSES else []
    return found


def plan(
    demo: Demo, folder: Path, seeds: int, threads: int | None, seed: int, every: bool = False, budget: str = BUDGET
) -> AuditPlan:
    """The audit of methods on the test scenes.

    Args:
        threads: of a job; None for one, with a process for each core (the fastest), up to `WORKERS` of them.
        every: all methods, in place of the quick ones. budget: see `Settings`.
    """
    count = len(demo.scenes.pixels)
    accuracy = demo.card.get("accuracy", demo.card.get("test_accuracy"))
    about = {
        "model": f"SmallCNN ({100 * float(accuracy):.1f} % on unseen scenes)" if accuracy else "SmallCNN",
        "dataset": "digits on photos",
        "images": [{"name": n, "label": str(int(t))} for n, t in zip(_names(count), demo.scenes.targets, strict=True)],
        "class_names": DIGITS,
        "command": "heatproof demo",
    }
    return plan_audit(
        demo.model,
        demo.scenes.pixels,
        methods=list(METHODS) if every else quick_methods(demo),
        seeds=seeds,
        budget=budget,
        out=folder / "audit",
        seed=seed,
        threads=threads or 1,
        workers=1 if threads else min(WORKERS, os.cpu_count() or 1),
        factory=SmallCNN,
        device="cpu",
        about=about,
        photos=lambda i: _picture(demo, i),
    )


def inside_mask(demo: Demo, methods: Mapping[str, Explain], folder: Path, chunk: int = 8) -> pd.DataFrame:
    """Share of each map's |value| inside the true mask, beside the share of pixels that the mask covers (chance).

    Args:
        methods: by name, as the plan has them: with the steps that its budget allows.

    Returns:
        One row a method: method, inside (mean over scenes), chance, times (inside / chance); also ``inside_mask.csv``.
    """
    scenes = demo.scenes
    shares: dict[str, list[Tensor]] = {}
    subject = Subject(demo.model, scenes.pixels, scenes.targets, methods, (), logit, (), scenes.pixels)
    for start in range(0, len(scenes.pixels), chunk):
        shard = list(range(start, min(start + chunk, len(scenes.pixels))))
        mask = padded(scenes.masks[shard], len(shard))
        for name, maps in explain_all(subject, demo.model, shard, "original").maps.items():
            shares.setdefault(name, []).append(mask_share(maps, mask))
    chance = float(scenes.masks.float().mean())
    rows = [(n, float(torch.cat(s).nanmean()), chance) for n, s in shares.items()]
    table = pd.DataFrame(rows, columns=["method", "inside", "chance"])
    table["times"] = table["inside"] / table["chance"]
    table = table.sort_values("inside", ascending=False).reset_index(drop=True)
    write_csv(folder / "inside_mask.csv", table)
    return table


def mask_share(maps: Tensor, masks: Tensor) -> Tensor:
    """Share of sum_c |m| that lies inside the mask. ``(B, C, H, W), (B, 1, H, W) bool -> (B,)``, NaN for a zero map.

    Example:
        >>> mask_share(torch.tensor([[[[3.0, -1.0]]]]), torch.tensor([[[[True, False]]]]))
        tensor([0.7500])
    """
    mass = maps.abs().sum(1, keepdim=True)
    return (mass * masks).flatten(1).sum(1) / mass.flatten(1).sum(1)


def _names(count: int) -> list[str]:
    return [f"scene-{i:02d}" for i in range(count)]


def _picture(demo: Demo, i: int) -> Any:
    return (demo.scenes.pixels[i] * 255).round().byte().permute(1, 2, 0).numpy()
