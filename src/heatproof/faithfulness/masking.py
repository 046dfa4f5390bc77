"""Removing pixels by rank: exact counts, seeded ties (semantics.md, 3.S2.16 and 3.S3.18 to 19)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..engine.chunks import generator, sample_generators
from ..errors import InputError


def mask_pixels(
    images: Tensor,
    maps: Tensor,
    fraction: float,
    which: str = "most",
    rank: str = "abs",
    fill: float | Tensor = 0.0,
    seed: int = 0,
    index: Tensor | None = None,
) -> Tensor:
    """The images with the most or least salient pixels replaced. ``(B, C, H, W), (B, C or 1, H, W) -> (B, C, H, W)``.

    Exactly ``round(fraction * H * W)`` pixels of each image are replaced for "most", and ``N - round((1 - fraction) N)``
    for "least", so that least at 1 - p and most at p are complementary. Ties are broken by a seeded order, reversed
    between the two. Source: FullGrad paper, section 5.1; deviation: exact counts under ties.

    Args:
        images: in the model's units.
        fraction: share of pixels to replace, 0 to 1.
        rank: "abs" ranks by sum_c |m|, "signed" by sum_c m.
        fill: a number, a ``(C,)`` tensor, or a stack of images, in the model's units (black in pixel space is
            ``(0 - mean) / std``).
        seed: of the order of ties.
        index: int64 ``(B,)``, places of the images in the data set: an order of ties for each, as a mean over images needs
            it. None: one order for all, by which a constant map removes the same pixels of every image.

    Raises:
        InputError: shapes that do not fit, a fraction outside [0, 1], NaN in the maps.

    Example:
        >>> maps = torch.tensor([[[[1.0, 4.0], [3.0, 2.0]]]])
        >>> mask_pixels(torch.ones(1, 1, 2, 2), maps, 0.5)
        tensor([[[[1., 0.],
                  [0., 1.]]]])
    """
    check_masking("mask_pixels", images, maps, fraction, which, rank)
    values = (maps.abs() if rank == "abs" else maps).sum(1).flatten(1)
    total = values.shape[1]
    order = pixel_order(values, tie_order(total, seed, index, len(maps)).to(values.device))
    count = rounded(fraction * total) if which == "most" else total - rounded((1 - fraction) * total)
    chosen = order[:, :count] if which == "most" else order[:, total - count :]
    removed = torch.zeros_like(values, dtype=torch.bool).scatter_(1, chosen, True)
    return torch.where(removed.reshape(len(images), 1, *images.shape[2:]), _fill(fill, images), images)


def tie_order(pixels: int, seed: int, index: Tensor | None, batch: int) -> Tensor:
    """Which of equal pixels comes first: ``(N,)`` for all images, or ``(B, N)`` by their places in the data set."""
    if index is None:
        return torch.randperm(pixels, generator=generator("ties", seed))
    draws = sample_generators(seed, index, batch, "ties")
    return torch.stack([torch.randperm(pixels, generator=g) for g in draws])


def pixel_order(values: Tensor, ties: Tensor) -> Tensor:
    """Pixels of each image, the most salient first, equal values in the order of ties.

    ``(B, N), (N,) or (B, N) -> (B, N)``, int64.
    """
    ties = ties.expand_as(values)
    return ties.gather(1, values.gather(1, ties).argsort(dim=1, descending=True, stable=True))


def rounded(pixels: float) -> int:
    """Nearest whole number; 3.4999999999 is 3.5, as 1 - 0.9 is 0.1."""
    return round(round(pixels, 6))


def _fill(fill: float | Tensor, images: Tensor) -> Tensor:
    value = torch.as_tensor(fill, dtype=images.dtype, device=images.device)
    if value.dim() == 1 and len(value) == images.shape[1]:
        value = value[:, None, None]
    fits = value.dim() == 0 or value.shape == images.shape or value.shape in (images.shape[1:], (images.shape[1], 1, 1))
    if not fits:
        raise InputError(
            f"fill has shape {tuple(value.shape)}; expected a number, ({images.shape[1]},), or {tuple(images.shape)}"
        )
    return value


def check_masking(call: str, images: Tensor, maps: Tensor, fraction: float, which: str, rank: str) -> None:
    """Raise `InputError` for what cannot be masked, in the name of the function that was called."""
    if images.dim() != 4 or maps.dim() != 4 or len(maps) != len(images) or maps.shape[2:] != images.shape[2:]:
        raise InputError(
            f"{call} got images {tuple(images.shape)} and maps {tuple(maps.shape)}; expected (B, C, H, W) and maps of the "
            "same B, H and W"
        )
    if not 0 <= fraction <= 1 or which not in ("most", "least") or rank not in ("abs", "signed"):
        raise InputError(
            f"{call}(fraction={fraction}, which={which!r}, rank={rank!r}); expected a fraction in [0, 1], which 'most' or "
            "'least', rank 'abs' or 'signed'"
        )
    if maps.isnan().any():
        raise InputError(f"{call}: the maps hold NaN, which has no rank; replace it, or leave those images out")
