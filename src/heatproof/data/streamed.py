"""Images that do not fit into memory: read again from where they are, a few at a time, whenever they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..errors import InputError

MOST = 2**30
"""Bytes of pixels, as float32, that commands hold in memory; larger sets are streamed."""

CPU = torch.device("cpu")
Places = int | slice | Sequence[int] | Tensor


@dataclass(frozen=True, eq=False)
class Streamed:
    """Stands for a tensor ``(N, C, H, W)``, float32: indexing reads those images, onto `device`.

    The last images that were read are kept, since all stages of a job ask for the same; what was read once must be there
    unchanged, and is checked each time.

    Attributes:
        read: gives the image of a place in the source, ``(C, H, W)``; can be pickled.
        size: ``(C, H, W)``.
        digests: SHA-256 of each image, `image_digest`.
        rows: the place in the source of each image.
        device: that images are given on.
    """

    read: Callable[[int], Tensor]
    size: tuple[int, int, int]
    digests: tuple[str, ...]
    rows: tuple[int, ...]
    device: torch.device = CPU
    _last: dict[tuple[int, ...], Tensor] = field(default_factory=dict, repr=False)

    dtype = torch.float32

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> torch.Size:
        return torch.Size((len(self), *self.size))

    def __getitem__(self, where: Places) -> Tensor:
        """``(C, H, W)`` for a number, ``(B, C, H, W)`` for a slice, places or a tensor of places."""
        if isinstance(where, int):
            return self._images((range(len(self))[where],))[0]
        if isinstance(where, slice):
            return self._images(tuple(range(len(self))[where]))
        return self._images(
            tuple(range(len(self))[i] for i in (where.tolist() if isinstance(where, Tensor) else where))
        )

    def take(self, places: Sequence[int]) -> Streamed:
        """The images at these places, in this order, still to be read."""
        digests, rows = tuple(self.digests[i] for i in places), tuple(self.rows[i] for i in places)
        return replace(self, digests=digests, rows=rows, _last={})

    def detach(self) -> Streamed:
        return self

    def to(self, device: torch.device | str) -> Streamed:
        """The same, giving its images on another device."""
        return replace(self, device=torch.device(device), _last={})

    def _images(self, places: tuple[int, ...]) -> Tensor:
        known = self._last.get(places)  # got and set at once: threads may ask for other images
        if known is None:
            once = {place: self._image(place) for place in dict.fromkeys(places)}
            known = torch.stack([once[place] for place in places]) if places else torch.empty(0, *self.size)
            known = known.to(self.device)
            self._last.clear()
            self._last[places] = known
        return known.clone()

    def _image(self, place: int) -> Tensor:
        try:
            image = self.read(self.rows[place])
            changed = image_digest(image) != self.digests[place]
        except InputError as error:
            raise InputError(
                f"image {place} was read before and cannot be now on this machine: {error}; {AGAIN}. Nodes of a cluster "
                "must see the images under the same path"
            ) from error
        if changed:
            raise InputError(f"image {place} is not what it was when the run began; {AGAIN}")
        return image


AGAIN = "leave the images as they are while a run goes on, and give the same command again: finished jobs stay"

Images = Tensor | Streamed
"""``(N, C, H, W)``, in memory or streamed."""


def held(images: Images) -> Tensor:
    """Images that are in memory; raises `InputError` for streamed ones."""
    if isinstance(images, Streamed):
        raise InputError(f"{len(images)} streamed images are needed at once; give fewer, as a tensor: images[:100]")
    return images


def image_digest(image: Tensor) -> str:
    """SHA-256 of the values of one image, its shape and dtype."""
    plain = image.detach().cpu().contiguous()
    digest = hashlib.sha256(f"{plain.dtype}{tuple(plain.shape)}".encode())
    digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def image_digests(images: Images) -> tuple[str, ...]:
    """The digest of each image; those of streamed ones are known."""
    return images.digests if isinstance(images, Streamed) else tuple(image_digest(image) for image in images)


def taken(images: Images, places: Sequence[int]) -> Images:
    """The images at these places; the same object where that is all of them."""
    if list(places) == list(range(len(images))):
        return images
    return images.take(places) if isinstance(images, Streamed) else images[torch.as_tensor(list(places))]
