"""The images of a run: pixels as the model takes them, and what is known about each."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from .preprocess import as_picture
from .streamed import Images, Streamed, taken


@dataclass(frozen=True)
class PhotoFile:
    """The file of an image, and its height and width in pixels as read: upright, before any resize."""

    path: Path
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A stack of images with their names. Made by `image_set`, which checks it.

    Attributes:
        held: ``(N, C, H, W)`` in model units: a float32 tensor, or read in parts (`heatproof.data.streamed`).
        names: N texts: the path inside the folder, or the place in the stack.
        labels: N class names, None where unknown.
        skipped: (file, reason) of what could not be read.
        mean, std: per channel, so that ``pixels * std + mean`` is in [0, 1]; None where unknown.
        sha256: of shape and pixels.
        source: the path as given.
        targets: int64 ``(N,)`` class numbers where the source holds them.
        classes: the names of all its classes, in the order of their numbers (sorted where it has none); None where
            unknown.
        files: N files, where each image has one of its own; else None.
        masks: bool ``(N, 1, H, W)``, True on the object, where the source knows it by construction; else None.
    """

    held: Images
    names: tuple[str, ...]
    labels: tuple[str | None, ...]
    skipped: tuple[tuple[str, str], ...]
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    sha256: str
    source: str
    targets: Tensor | None = None
    classes: tuple[str, ...] | None = None
    files: tuple[PhotoFile, ...] | None = None
    masks: Tensor | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def pixels(self) -> Tensor:
        """All of them as one tensor; where that was too large to be read at once, an `InputError`."""
        if isinstance(self.held, Streamed):
            raise InputError(
                f"the {len(self)} images of {self.source} are too large to be held at once; only audits without the check "
                "labels read them in parts: give fewer (limit=, --limit)"
            )
        return self.held

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Image `index` for display. ``-> (H, W, 3)`` uint8.

        Undoes mean and std; where they are unknown, the image's own range is stretched to 0..255. Grey is repeated;
        other channel counts are shown as their average.
        """
        return as_picture(self.held[index], self.mean, self.std)

    def take(self, indices: Sequence[int]) -> ImageSet:
        """The images at these places, in this order, as a set of their own."""
        where = torch.as_tensor(list(indices), dtype=torch.int64)
        held = taken(self.held, indices)
        return dataclasses.replace(
            self,
            held=held,
            names=tuple(self.names[i] for i in indices),
            labels=tuple(self.labels[i] for i in indices),
            sha256=pixel_sha256(held),
            targets=None if self.targets is None else self.targets[where],
            files=None if self.files is None else tuple(self.files[i] for i in indices),
            masks=None if self.masks is None else self.masks[where],
        )


def image_set(
    pixels: Images,
    names: Sequence[str],
    labels: Sequence[str | None] | None = None,
    *,
    skipped: Sequence[tuple[str, str]] = (),
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    source: str = "",
    targets: Tensor | None = None,
    classes: tuple[str, ...] | None = None,
    files: Sequence[PhotoFile] | None = None,
    masks: Tensor | None = None,
) -> ImageSet:
    """A checked `ImageSet` from pixels in model units, ``(N, C, H, W)``.

    Raises:
        InputError: another shape, no image, counts that differ, NaN or infinite pixels (names the first such image),
            masks of another type or shape.
    """
    if len(pixels.shape) != 4 or not pixels.dtype.is_floating_point or 0 in pixels.shape:
        raise InputError(
            f"images of {source or 'a tensor'} are {pixels.dtype} {tuple(pixels.shape)}; expected float (N, C, H, W)"
        )
    labels = [None] * len(pixels) if labels is None else labels
    optional = {"targets": targets, "files": files}
    counts = {"names": len(names), "labels": len(labels)}
    counts |= {what: len(given) for what, given in optional.items() if given is not None}
    if wrong := {what: count for what, count in counts.items() if count != len(pixels)}:
        raise InputError(f"{source or 'a tensor'} has {len(pixels)} images, but {wrong}; expected one for each image")
    if isinstance(pixels, Tensor):
        pixels = pixels.detach().to("cpu", torch.float32).contiguous()
        _check_finite(pixels, names, source)
    _check_masks(masks, pixels.shape, source)
    return ImageSet(
        pixels, tuple(names), tuple(labels), tuple(skipped), mean, std, pixel_sha256(pixels), source, targets, classes,
        None if files is None else tuple(files), masks,
    )  # fmt: skip


def pixel_sha256(pixels: Images) -> str:
    """SHA-256 of the shape's text and the float32 pixels in C order, little-endian; of streamed ones, of their digests."""
    digest = hashlib.sha256(str(tuple(pixels.shape)).encode())
    if isinstance(pixels, Streamed):
        digest.update("".join(pixels.digests).encode())
    else:
        digest.update(np.ascontiguousarray(pixels.numpy(), dtype="<f4").data)
    return digest.hexdigest()


def check_image(image: Tensor, name: str) -> None:
    """Raise `InputError` where an image ``(C, H, W)`` has NaN or infinite pixels."""
    _check_finite(image[None], [name], "")


def _check_masks(masks: Tensor | None, shape: torch.Size, source: str) -> None:
    expected = (shape[0], 1, *shape[2:])
    if masks is not None and (masks.dtype != torch.bool or tuple(masks.shape) != expected):
        raise InputError(
            f"masks of {source or 'a tensor'} are {masks.dtype} {tuple(masks.shape)}; expected torch.bool {expected}"
        )


def _check_finite(pixels: Tensor, names: Sequence[str], source: str) -> None:
    if pixels.sum().isfinite():  # ten times faster; a sum that overflows is looked into below
        return
    good = pixels.isfinite().flatten(1)
    if good.all():
        return
    first = int((~good.all(1)).nonzero()[0])
    raise InputError(
        f"{names[first]} (image {first} of {source or 'the tensor'}) has {int((~good[first]).sum())} NaN or infinite "
        f"pixels, and {int((~good.all(1)).sum())} of {len(pixels)} images have any; repair them or leave them out"
    )
