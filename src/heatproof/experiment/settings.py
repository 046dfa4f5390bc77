"""How an audit is done: one table of settings with their defaults, and the presets of the Sanity Checks paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from ..checks.batch_norm import POLICIES
from ..checks.blocks import Block
from ..checks.compared import DECIDING
from ..checks.draws import INITS
from ..checks.randomize import DRAWS
from ..errors import InputError
from ..score import logit
from ..similarity.metrics import named_metrics
from ..types import Score
from .ray_engine import is_ray

if TYPE_CHECKING:
    from ..checks.labels import Pair

CHUNK = 8
NULLS = 5
CLASSES = ("fixed", "predicted")
KEEP = ("strips", "all", "none")
NOISE = ("shared", "fresh")
METRICS = ("spearman", "spearman_abs", "ssim", "hog")

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {
        "init": "trunc_normal", "std": 0.01, "batch_norm": "reset",
        "metrics": ("spearman", "spearman_abs", "ssim", "hog"),
    },
    "code": {
        "init": "original", "batch_norm": "keep", "classes": "predicted", "draws": "fresh", "noise": "fresh",
        "metrics": ("spearman", "spearman_abs", "ssim(preset='code')", "hog(correlation='spearman')"),
    },
}  # fmt: skip
"""Adebayo et al. 2018 as the text says, and as the authors' code does (semantics.md, 2.S1)."""


@dataclass(frozen=True)
class Settings:
    """The settings of an audit; each can be given to `audit` and `plan_audit` by its name.

    Attributes:
        metrics: texts such as "spearman", "ssim(preset='code')", "hog(cells=4)"; None for all four. Only "spearman" and
            "spearman_abs" decide.
        preset: "paper" or "code": other defaults for what is not given, see `PRESETS`.
        classes: "fixed" explains the original model's class throughout, "predicted" the class of each variant.
        init, std, batch_norm, blocks, factory, draws: as in `randomize`.
        noise: methods that average over noise (SmoothGrad) draw the same for every network ("shared"), or "fresh" for each.
        stages: at most so many, evenly spaced; None for all (8 under a budget).
        seeds: randomisations of each stage. nulls: random networks for the floor.
        budget: "10m", "full", seconds; None is full. Chosen by counted work, so that the choice is the same every time.
        out: the run folder.
        seed: of all randomness.
        device: "auto" takes CUDA where there is one.
        threads: of a job; None takes torch's number. chunk: images in one pass. Both are part of the result.
        workers: processes side by side, on a CPU; with threads=1, one a core is the fastest. Changes no digit.
        engine: "local", or a Ray cluster: "ray", "ray://host:port"; all its nodes share the run folder. Changes no digit.
        score: what is explained.
        faithfulness: measure the quick score that stands beside each verdict.
        keep_maps: raw maps to keep: "strips" (every stage of the film strips, and the original maps of the photos that the
            report shows), "all", "none".
        about: what the report prints: model, dataset, images (name, label), class_names, command, warnings.
        photos: gives the uint8 ``(H, W, 3)`` picture of an image; None shows the tensors themselves.
        black: a black pixel in the model's units, ``(C,)``; None for 0.
        labels: the networks of the check "labels", from `train_pair` or `user_pair`.
    """

    metrics: tuple[str, ...] | None = None
    preset: str | None = None
    classes: str = "fixed"
    init: str | Mapping[str, Tensor] = "original"
    std: float = 0.01
    batch_norm: str = "reestimate"
    blocks: Sequence[Block | str] | None = None
    factory: Callable[[], nn.Module] | None = None
    draws: str = "nested"
    noise: str = "shared"
    stages: int | None = None
    seeds: int = 5
    nulls: int = NULLS
    budget: str | float | None = None
    out: str | Path = "runs/audit"
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    workers: int = 1
    engine: str = "local"
    chunk: int = CHUNK
    score: Score = logit
    faithfulness: bool = True
    keep_maps: str = "strips"
    about: Mapping[str, Any] | None = None
    photos: Callable[[int], Any] | None = None
    black: Tensor | None = None
    labels: Pair | None = None


def settings_from(given: Mapping[str, Any]) -> Settings:
    """Settings from keywords, with the preset's values for what is not among them.

    Raises:
        InputError: a setting that does not exist, or a value that it cannot have.
    """
    known = [f.name for f in fields(Settings)]
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=3) or known
            raise InputError(f"audit has no setting {name!r}; did you mean {', '.join(near)}?")
    preset = given.get("preset")
    _one_of("preset", preset, (None, *PRESETS))
    wanted = {k: v for k, v in given.items() if k != "metrics" or v is not None}
    merged = {"metrics": METRICS, **PRESETS.get(preset or "", {}), **wanted}
    settings = Settings(**{**merged, "metrics": tuple(named_metrics(merged["metrics"]))})  # under their canonical names
    _check(settings)
    return settings


def _check(s: Settings) -> None:
    if not set(DECIDING) & set(s.metrics or ()):
        raise InputError(f"metrics={s.metrics!r} holds none that decides a verdict; add one of {DECIDING}")
    init = s.init if isinstance(s.init, str) else "original"
    for what, value, allowed in (
        ("classes", s.classes, CLASSES), ("keep_maps", s.keep_maps, KEEP), ("batch_norm", s.batch_norm, POLICIES),
        ("init", init, INITS), ("draws", s.draws, DRAWS), ("noise", s.noise, NOISE),
    ):  # fmt: skip
        _one_of(what, value, allowed)
    if not (isinstance(s.std, (int, float)) and isfinite(s.std) and s.std > 0):
        raise InputError(f"std={s.std!r}; expected a number over 0, the standard deviation of new weights (--std-init)")
    if s.engine != "local" and not is_ray(s.engine):
        raise InputError(f"engine={s.engine!r}; expected 'local', 'ray' or 'ray://host:port' (--engine)")
    least = {"seeds": 1, "nulls": 2, "chunk": 1, "stages": 1, "workers": 1}
    for what, minimum in least.items():
        number = getattr(s, what)
        if number is not None and (type(number) is not int or number < minimum):
            raise InputError(f"{what}={number!r}; expected a whole number of at least {minimum}")


def _one_of(what: str, value: Any, allowed: Sequence[Any]) -> None:
    if value not in allowed:
        raise InputError(f"{what}={value!r}; expected one of {', '.join(str(a) for a in allowed if a)}")
