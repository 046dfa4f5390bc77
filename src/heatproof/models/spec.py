"""A model by text: ``torchvision:NAME``, ``timm:NAME``, ``hf:FOLDER``, ``package.module:factory``, a ``.pt2`` file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..data.preprocess import Preprocess
from ..engine.guard import fixed_size
from ..errors import InputError
from .factory import build, fresh, own_weights
from .hub import hub_categories, hub_factory, hub_model
from .hub_preprocess import hub_preprocess
from .programs import PROGRAMS, Program, read_program
from .weights import load_weights
from .zoo import timm_model, torchvision_model

FORMS = (
    "torchvision:NAME, timm:NAME, hf:FOLDER (Hugging Face, on disk), package.module:factory, path/to/file.py:factory, or "
    "a file: .pt2 (torch.export), .pt or .ts (TorchScript)"
)


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to explain, and what is known about it.

    Attributes:
        name: short name for tables.
        model: in eval mode, on the device asked for. A ``torch.export`` module has no modes: it is as it was exported.
        factory: makes a new instance with new random weights (call it through `fresh`); None where there is none:
            program files, and factories that bring the same weights each time.
        preprocess: the model's own preset.
        categories: class names in the order of the outputs.
        weights_sha256: of the weights file or the program file; None where no file was read.
        weights: that file as given.
        batch: the only batch size that a ``torch.export`` program takes; None = any.
        trained: True: weights were read from a file. False: random weights, so the maps explain nothing learned. None:
            cannot be told (a factory that brings its own weights, a program file).
    """

    name: str
    model: nn.Module
    factory: Callable[[], nn.Module] | None = None
    preprocess: Preprocess | None = None
    categories: tuple[str, ...] | None = None
    weights_sha256: str | None = None
    weights: str | None = None
    batch: int | None = None
    trained: bool | None = None


def load_model(
    spec: str,
    weights: str | Path | None = None,
    *,
    device: str | torch.device = "cpu",
    random_weights: bool = False,
    seed: int = 0,
    **options: Any,
) -> LoadedModel:
    """Build the model that a text names, with the weights of a file or random ones. Nothing is downloaded.

    Building by ``package.module:factory`` runs that code, and ``.pt2`` and TorchScript files are programs: load only
    those you trust. Weights files are read without running anything.

    Args:
        spec: one of the forms in `FORMS`.
        weights: .safetensors or a state-dict checkpoint; see `load_weights`.
        device: where the model goes.
        random_weights: insist on random weights: an error where the model brings its own.
        seed: of the random weights; the global random state is not touched.
        **options: for the model's constructor (``num_classes=10``).

    Raises:
        InputError: no such model (with the closest names) or options that contradict each other.
        WeightsError: weights that cannot be read safely or do not fit.
        ModelError: a factory that fails or returns something else.
        HeatproofError: torchvision or timm is not installed.
    """
    if weights is not None and random_weights:
        raise InputError(
            f"load_model({spec!r}): weights={str(weights)!r} and random_weights=True contradict each other"
        )
    if _is_program(spec):
        return _from_program(Path(spec), weights, torch.device(device), random_weights, options)
    brought = weights is None and not random_weights
    loaded = _from_hub(spec, options, seed, brought) if spec.startswith("hf:") else _described(spec, options, seed)
    if random_weights and loaded.trained is None:
        raise InputError(f"{spec!r} brings its own weights: it builds the same network whatever the seed")
    if weights is not None:
        digest = load_weights(loaded.model, weights)
        loaded = replace(loaded, weights=str(weights), weights_sha256=digest, trained=True)
    loaded.model.eval().to(device)
    return loaded


def _described(spec: str, options: dict[str, Any], seed: int) -> LoadedModel:
    kind, _, name = spec.partition(":")
    if kind == "torchvision":
        found = torchvision_model(name, options)
    elif kind == "timm":
        found = timm_model(name, options)
    elif name:
        return _from_factory(spec, options, seed)
    else:
        raise InputError(f"{spec!r} names no model; expected {FORMS}")
    return LoadedModel(
        found.name, fresh(found.factory, seed), found.factory, found.preprocess, found.categories, trained=False
    )


def _from_factory(spec: str, options: dict[str, Any], seed: int) -> LoadedModel:
    factory = build(spec, options)
    model = fresh(factory, seed)
    own = own_weights(model, fresh(factory, seed + 1))
    name = spec.rpartition(":")[2]
    return LoadedModel(name, model, None if own else factory, trained=None if own else False)


def _from_hub(spec: str, options: dict[str, Any], seed: int, brought: bool) -> LoadedModel:
    """The network of a folder, with the weights that it brings, or with random ones."""
    folder = str(Path(spec.removeprefix("hf:")).expanduser())
    if options:
        raise InputError(f"{spec}: {sorted(options)} is not taken; the folder's config.json says how it is built")
    factory = hub_factory(folder)
    model, digest = hub_model(folder) if brought else (fresh(factory, seed), None)
    return LoadedModel(
        Path(folder).resolve().name, model, factory, hub_preprocess(folder), hub_categories(folder), digest,
        folder if brought else None, trained=brought,
    )  # fmt: skip


def _is_program(spec: str) -> bool:
    path = Path(spec)
    return path.suffix.lower() in PROGRAMS and not spec.startswith(("torchvision:", "timm:", "hf:"))


def _from_program(
    path: Path, weights: str | Path | None, device: torch.device, random_weights: bool, options: dict[str, Any]
) -> LoadedModel:
    if weights is not None or random_weights or options:
        given = f"weights={weights}" if weights is not None else "random_weights" if random_weights else f"{options}"
        raise InputError(f"{path} is a program with weights of its own; leave out {given}")
    program: Program = read_program(path, device)
    size = fixed_size(program.model)
    return LoadedModel(
        path.stem, program.model, weights_sha256=program.sha256, weights=str(path), batch=program.batch, trained=None,
        preprocess=Preprocess(size=size) if size else None,
    )  # fmt: skip
