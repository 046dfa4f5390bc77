"""The arrays of a ``.npy``, ``.npz`` or ``.pt`` file. Nothing in these files is ever executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from .files import DAMAGED

IMAGES = ("images", "x")
LABELS = ("labels", "y", "targets")


def load_stack(path: Path) -> tuple[NDArray[Any], Any]:
    """The images and, where there are any, the labels."""
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    try:
        held = _arrays(path)
    except InputError:
        raise
    except DAMAGED as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{path} cannot be read as a stack of plain arrays: {reason}. Pickled objects are refused, because opening "
            "one runs its code; save arrays of numbers (numpy.save, numpy.savez) or tensors (torch.save)"
        ) from error
    if not isinstance(held, Mapping):
        return held, None
    labels = next((held[key] for key in LABELS if key in held), None)
    images = {key: value for key, value in held.items() if key not in LABELS}
    key = next((key for key in IMAGES if key in images), next(iter(images)) if len(images) == 1 else None)
    if key is None:
        raise InputError(f"{path} holds {sorted(map(str, held))}; expected 'images' or 'x', or one array only")
    return _array(images[key], f"{path}[{key!r}]"), labels


def _arrays(path: Path) -> Any:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return np.load(path, mmap_mode="r", allow_pickle=False)
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    held = torch.load(path, map_location="cpu", weights_only=True)
    return held if isinstance(held, Mapping) else _array(held, str(path))


def _array(value: Any, what: str) -> NDArray[Any]:
    if isinstance(value, Tensor):
        value = value.detach()
        value = np.asarray(value.float() if value.dtype == torch.bfloat16 else value)
    if isinstance(value, np.ndarray):
        return value
    raise InputError(f"{what} is a {type(value).__name__}; expected a tensor or an array of images")
