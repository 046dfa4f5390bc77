"""What the networks of a folder follow from, so that a folder never mixes two pairs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import RunError
from ..models.saved import write_whole

RECIPE = "pair.json"
NETWORK, UNFINISHED = ".safetensors", ".training"


@dataclass(frozen=True)
class Recipe:
    """All that the networks of a folder follow from; the number of permutations is free, so that more can be added."""

    first_weights: str
    train: str
    test: str
    epochs: int
    batch: int
    lr: float
    until: float
    weight_decay: float
    decayed: list[str] | None
    seed: int
    device: str
    bf16: bool

    def differs(self, held: Mapping[str, Any], free: Collection[str] = ()) -> list[str]:
        """What a stored recipe says otherwise, as texts; `free` may differ."""
        wanted = asdict(self)
        other = sorted(k for k in wanted.keys() | held.keys() if held.get(k) != wanted.get(k) and k not in free)
        return [f"{key} {held.get(key)!r} there, {wanted.get(key)!r} asked" for key in other]


def claim(folder: Path, recipe: Recipe, free: Collection[str] = ()) -> None:
    """Write what the folder is for, where it is for the same already or without networks. `free` may differ.

    Raises:
        RunError: it holds networks of other arguments (named), or cannot be read.
    """
    path, text = folder / RECIPE, json.dumps(asdict(recipe), indent=1) + "\n"
    if any(file.suffix in (NETWORK, UNFINISHED) for file in folder.glob("*")):
        _check_same(path, recipe, free)
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _check_same(path: Path, recipe: Recipe, free: Collection[str]) -> None:
    try:
        held = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path} cannot be read ({error}); delete {path.parent} or name another folder") from error
    if other := recipe.differs(held, free):
        raise RunError(
            f"{path.parent} holds networks of other arguments ({', '.join(other)}); use those, or name another folder"
        )


def digest(*tensors: Tensor) -> str:
    """SHA-256 of tensors: types, shapes and bytes."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
