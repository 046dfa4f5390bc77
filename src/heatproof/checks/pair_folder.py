"""What the networks of a folder follow from, so that a folder never mixes two pairs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

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
    bf16: bool | Literal["auto"]


def claim(folder: Path, recipe: Recipe) -> None:
    """Write what the folder is for, or make sure that it is for the same. Without a network in it, it is for nothing yet.

    Raises:
        RunError: it holds networks of other arguments (named), or cannot be read.
    """
    path, wanted = folder / RECIPE, asdict(recipe)
    if not any(file.suffix in (NETWORK, UNFINISHED) for file in folder.glob("*")):
        text = json.dumps(wanted, indent=1) + "\n"
        write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
        return
    try:
        held = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path} cannot be read ({error}); delete {folder} or name another folder") from error
    if other := sorted(key for key in wanted.keys() | held.keys() if held.get(key) != wanted.get(key)):
        differs = ", ".join(f"{key} {held.get(key)!r} there, {wanted.get(key)!r} asked" for key in other)
        raise RunError(f"{folder} holds networks of other arguments ({differs}); use those, or name another folder")


def digest(*tensors: Tensor) -> str:
    """SHA-256 of tensors: types, shapes and bytes."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
