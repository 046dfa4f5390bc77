"""How a run is laid out on this machine: images a pass, networks at once, processes side by side."""

from __future__ import annotations

import os

from torch import Tensor

from ..errors import InputError
from ..experiment.sendable import not_sendable
from ..models.factory import fresh
from ..training.stack import check_alike, check_stackable, stacked
from .retrain_task import Recipe, Task

CHUNK, MOST = 64, 512
SMALL = 32 * 32
"""Pixels of images of which CUDA takes the most at once."""


def chunk_for(device: str, height: int, width: int) -> int:
    """Images explained in one pass where none were asked for; part of the result, as BLAS rounds by it."""
    if device == "cpu":
        return CHUNK
    return max(CHUNK, min(MOST, MOST * SMALL // (height * width)))


def processes(recipe: Recipe, workers: int | None) -> int:
    """Processes side by side: one on a GPU."""
    if recipe.device != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return workers or max(1, cores // recipe.threads)


def not_stacked(task: Task) -> str:
    """Why networks cannot be trained at once; "" where they can, or need not."""
    if task.recipe.stack == 1:
        return ""
    models = [fresh(task.factory, seed).to(task.recipe.device) for seed in (0, 1)]
    try:
        check_alike(models)
        check_stackable(stacked(models), models, _few(task.train[0]))
    except InputError as error:
        return f"networks are trained one at a time, not {task.recipe.stack} at once: {error}"
    return ""


def not_side_by_side(task: Task, workers: int | None) -> str:
    """Why nothing can be sent to other processes; "" where it can, or need not."""
    if processes(task.recipe, workers) == 1:
        return ""
    why = not_sendable((task.factory, task.methods, task.model))
    return (
        f"jobs run one after the other, not in processes side by side, to which this cannot be sent: {why}"
        if why
        else ""
    )


def _few(pixels: Tensor) -> Tensor:
    """Two images for each of two networks."""
    return pixels[:2].expand(2, *pixels[:2].shape)
