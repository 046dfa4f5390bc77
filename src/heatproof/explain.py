"""`explain`: one sheet for each image, picture and maps side by side, and the raw maps beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from .audit import CHUNK, DEFAULT_METHODS, placed
from .checks.explained import explain_all
from .checks.subject import Subject
from .engine.chance import check_same
from .engine.chunks import chunk_slices
from .engine.guard import fixed_batch
from .engine.model import all_outputs
from .errors import InputError
from .experiment.file_names import file_names
from .experiment.files import write, write_maps
from .experiment.folder import to_picture
from .named import named_methods
from .plots._style import save
from .plots.sheet import sheet
from .score import check_target, classes, logit, predicted
from .types import Score


@dataclass(frozen=True)
class Explained:
    """What `explain` wrote: a sheet and a file of raw maps for each image; and why some methods could not run."""

    sheets: list[Path]
    maps: list[Path]
    refused: dict[str, str]


def explain(
    model: nn.Module,
    images: Tensor,
    targets: Tensor | None = None,
    methods: Any = DEFAULT_METHODS,
    *,
    out: str | Path = "maps",
    score: Score = logit,
    seed: int = 0,
    chunk: int = CHUNK,
    device: str = "auto",
    names: Sequence[str] = (),
    class_names: Sequence[str] = (),
    photos: Callable[[int], Any] | None = None,
    format: str = "png",
    progress: Callable[[int, int], object] | None = None,
) -> Explained:
    """Maps of several methods for every image, as a sheet and as raw values.

    Args:
        model: in evaluation mode; never touched.
        images: ``(N, C, H, W)`` in the model's units.
        targets: int64 ``(N,)``; None explains the predicted class of each image.
        methods: as in `audit`.
        out: folder of ``NAME.png`` (or pdf, svg) and ``NAME.safetensors`` (float32, one tensor for each method).
        names, class_names: for titles and files; photos gives the picture of an image, uint8 ``(H, W, 3)``.
        progress: called with (images done, images in all).

    Raises:
        InputError, ModelError, RunError: a method that does not apply is no error, it is listed under the sheet.
    """
    if format not in ("png", "pdf", "svg"):
        raise InputError(f"format={format!r}; expected png, pdf or svg")
    private, images = placed(model, images, device)
    chunk = fixed_batch(private) or min(chunk, len(images))
    out_all = all_outputs(private, images, score, chunk)
    check_same(out_all[:chunk], all_outputs(private, images[:chunk], score, chunk))
    target = (
        predicted(out_all, score)
        if targets is None
        else check_target(targets, len(images), images.device, classes(out_all, score))
    )
    subject = Subject(private, images, target, named_methods(methods), (), score, (), images, chunk=chunk, seed=seed)
    stems = _stems(names, len(images))
    sheets: list[Path] = []
    files: list[Path] = []
    refused: dict[str, str] = {}
    for rows in chunk_slices(len(images), chunk):
        found = explain_all(subject, private, list(range(rows.start, rows.stop)), "original")
        refused |= found.errors
        if not found.maps:
            raise InputError(
                "no method can run on this model; choose others, or mend what the first of them says: "
                f"{next(iter(refused.values()))}"
            )
        for place, i in enumerate(range(rows.start, rows.stop)):
            maps = {name: stack[place].float().cpu().contiguous() for name, stack in found.maps.items()}
            picture = photos(i) if photos else to_picture(images[i])
            name = names[i] if i < len(names) else f"image {i}"
            title = f"{name}: {_what(out_all, i, int(target[i]), score, class_names)}"
            figure = sheet(picture, {n: m.numpy() for n, m in maps.items()}, title, found.errors)
            path = Path(out) / f"{stems[i]}.{format}"
            sheets.append(write(path, lambda temporary, f=figure: save(f, temporary, format=format)))  # type: ignore[misc]
            files.append(write_maps(path.with_suffix(".safetensors"), maps))
            if progress:
                progress(i + 1, len(images))
    return Explained(sheets, files, refused)


def _what(out: Tensor, i: int, target: int, score: Score, class_names: Sequence[str]) -> str:
    """The explained class with its probability, and the predicted one where it is another."""
    if out.dim() != 2 or out.shape[1] < 2:
        return f"{float(out[i].flatten()[0]):.3g}"
    chance = out[i].softmax(0)

    def said(c: int) -> str:
        return f"{class_names[c] if c < len(class_names) else f'class {c}'} ({100 * float(chance[c]):.0f} %)"

    best = int(predicted(out[i : i + 1], score))
    return said(target) if best == target else f"{said(target)}, predicted {said(best)}"


def _stems(names: Sequence[str], count: int) -> list[str]:
    """File names of images, each once; names may be paths."""
    return file_names([Path(names[i]).stem if i < len(names) else "" for i in range(count)], "image")
