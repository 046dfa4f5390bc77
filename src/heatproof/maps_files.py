"""Maps as files: raw values as safetensors or arrays of numpy, bit for bit, and pictures of them as PNG."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .data.files import DAMAGED
from .errors import InputError, out_of_memory
from .experiment.file_names import file_names
from .experiment.files import write, write_bytes, write_maps
from .plots._style import save
from .plots.tiles import tiles
from .plots.visualise import View, colour, natural_view

ONE = "maps"
"""The name of maps that were given without one."""


def save_maps(
    path: str | Path,
    maps: Tensor | Mapping[str, Tensor],
    names: Sequence[str] = (),
    *,
    view: View | None = None,
    each: bool = False,
) -> list[Path]:
    """Write maps to a file; its ending says in which form.

    Args:
        path: .safetensors, .npz or .npy (one tensor alone): raw values, bit for bit. .png: a sheet of tiles, one row a
            method and one column an image.
        maps: ``(B, C, H, W)`` of each method, or of one, which then is called "maps".
        names: of the images, for pictures.
        view: of pictures: "absolute" (how strongly a pixel counts) or "diverging" (red for, blue against); None takes
            diverging where a method has a negative value.
        each: .png: one file a map, pixel for pixel, in the folder that is called as the file without its ending.

    Returns:
        The files.

    Raises:
        InputError: another ending, maps that do not fit it. RunError: the disk is full, or the folder cannot be written to.
    """
    path, held = Path(path), _checked(maps)
    match path.suffix.lower():
        case ".safetensors":
            return [write_maps(path, {name: values.contiguous().clone() for name, values in held.items()})]
        case ".npz":
            return [write(path, lambda temporary: _write_npz(temporary, held))]
        case ".npy":
            if len(held) != 1:
                raise InputError(f"{path} takes one tensor, got {len(held)}: {', '.join(held)}; give a .npz file")
            return [write(path, lambda temporary: _write_npy(temporary, held))]
        case ".png":
            return _pictures(path, _images(held), names, view, each)
    raise InputError(f"{path}: expected a file .safetensors, .npz, .npy or .png")


def load_maps(path: str | Path) -> dict[str, Tensor]:
    """What `save_maps` wrote as .safetensors, .npz or .npy: maps by name; nothing in the file is executed.

    Raises:
        InputError: no such file, a damaged one, or one of another form.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; expected .safetensors, .npz or .npy")
    try:
        match path.suffix.lower():
            case ".safetensors":
                return dict(load_file(path))
            case ".npz":
                with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                    return {name: torch.from_numpy(archive[name]) for name in archive.files}
            case ".npy":
                with path.open("rb") as file:
                    return {ONE: torch.from_numpy(np.lib.format.read_array(file, allow_pickle=False))}
    except (*DAMAGED, SafetensorError, zipfile.BadZipFile) as error:
        if out_of_memory(error):
            raise
        raise InputError(f"{path} cannot be read as maps, it may be damaged: {error}; write it again") from error
    raise InputError(f"{path} holds no raw maps; expected .safetensors, .npz or .npy")


def _checked(maps: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
    held = {ONE: maps} if isinstance(maps, Tensor) else dict(maps)
    if not held or not all(isinstance(values, Tensor) for values in held.values()):
        kinds = {name: type(values).__name__ for name, values in held.items()}
        raise InputError(
            f"save_maps got {kinds or 'nothing'}; expected a tensor of maps, or a dict of names to tensors"
        )
    return {name: values.detach().cpu() for name, values in held.items()}


def _images(held: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    shapes = {name: tuple(values.shape) for name, values in held.items()}
    if any(len(shape) != 4 for shape in shapes.values()) or len({shape[0] for shape in shapes.values()}) != 1:
        raise InputError(f"maps of shapes {shapes} cannot be drawn; expected (B, C, H, W), the same B for all")
    return held


def _pictures(
    path: Path, held: Mapping[str, Tensor], names: Sequence[str], view: View | None, each: bool
) -> list[Path]:
    count = len(next(iter(held.values())))
    labels = [*names[:count], *(f"image {i}" for i in range(len(names), count))]
    if not each:
        images = [_row(values.float().numpy(), view) for values in held.values()]
        figure = tiles(images, rows=list(held), columns=labels)
        return [write(path, lambda temporary: save(figure, temporary, format="png"))]
    single = {f"{label}-{name}": values[i] for i, label in enumerate(labels) for name, values in held.items()}
    return [
        file
        for stem, values in zip(file_names(list(single), "map"), single.values(), strict=True)
        for file in save_views(path.with_suffix(""), stem, values, view)
    ]


def _row(maps: NDArray[Any], view: View | None) -> list[NDArray[Any]]:
    """A method's maps in one view, so that colours mean the same along the row."""
    shared = view or natural_view(maps)
    return [colour(one, shared) for one in maps]


def save_views(folder: Path, stem: str, values: Tensor, view: View | None = None) -> list[Path]:
    """One map ``(C, H, W)`` as pictures of its own size, STEM-VIEW.png: absolute, and diverging where a value is negative.

    Args:
        view: one of them alone.
    """
    plain = values.float().numpy()
    views: tuple[View, ...] = (view,) if view else ("absolute", "diverging") if (plain < 0).any() else ("absolute",)
    return [write_bytes(folder / f"{stem}-{v}.png", _png(colour(plain, v))) for v in views]


def _png(image: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def _array(values: Tensor) -> NDArray[Any]:
    if values.dtype == torch.bfloat16:
        raise InputError("numpy has no bfloat16; write .safetensors, or give maps.float()")
    found: NDArray[Any] = values.numpy()
    return found


def _write_npy(path: Path, held: Mapping[str, Tensor]) -> None:
    (values,) = held.values()
    with path.open("wb") as file:
        np.lib.format.write_array(file, _array(values), allow_pickle=False)


def _write_npz(path: Path, held: Mapping[str, Tensor]) -> None:
    """As numpy.savez, which knows no name "file" and writes the time of day."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, values in held.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, _array(values), allow_pickle=False)
