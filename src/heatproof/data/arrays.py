"""The arrays of a ``.npy``, ``.npz`` or ``.pt`` file. Nothing in these files is ever executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError, out_of_memory
from .files import DAMAGED

IMAGES = ("images", "x")
LABELS = ("labels", "y", "targets")


def load_stack(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """The images and, where there are any, the labels."""
    if not path.is_file():
        raise InputError(f"there is no file {path}; expected a .npy, .npz or .pt file of images")
    try:
        held = _arrays(path)
    except InputError:
        raise
    except DAMAGED as error:
        if out_of_memory(error):  # of the machine, now: the file may be good
            raise
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
    return _array(images[key], f"{path}[{key!r}]"), None if labels is None else _label_array(labels, path)


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
    if isinstance(value, np.ndarray):
        return value
    if not isinstance(value, Tensor):
        raise InputError(f"{what} is a {type(value).__name__}; expected a tensor or an array of images")
    try:
        return np.asarray((value.float() if value.dtype == torch.bfloat16 else value).detach().numpy())
    except (TypeError, RuntimeError) as error:  # sparse, quantised, without data, or of a type that numpy lacks
        if out_of_memory(error):
            raise
        raise InputError(
            f"{what} is a {value.layout} tensor of {value.dtype} on {value.device}, which is no array; save a plain one: "
            "x.to_dense().float().cpu()"
        ) from error


def _label_array(labels: Any, path: Path) -> NDArray[Any]:
    if isinstance(labels, (Tensor, np.ndarray)):
        return _array(labels, f"labels in {path}")
    try:
        return np.asarray(labels)
    except ValueError:
        raise InputError(
            f"labels in {path} are lists of several lengths; expected one whole number or text for each image"
        ) from None
