"""What a network is retrained on: images with pixels removed by rank, or the mask alone as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import InputError, RunError
from .ranks import removed

PARTS = ("train", "test")


@dataclass(frozen=True)
class Entry:
    """A row of the table. ranks: the name of its ranks. picture: the network sees their mask instead of the image."""

    name: str
    ranks: str
    picture: bool = False


@dataclass(frozen=True)
class Palette:
    """What replaces pixels, each ``(C, 1, 1)`` in the model's units.

    Attributes:
        fill: a removed pixel of an image.
        dark, light: a removed and a kept pixel of a mask that is shown as a picture: least and largest of the data.
    """

    fill: Tensor
    dark: Tensor
    light: Tensor


def palette(pixels: Tensor, fill: str | float | Tensor = "mean") -> Palette:
    """Fill and mask colours from training images ``(N, C, H, W)``; "mean" is the mean of each channel.

    Raises:
        InputError: a fill that is no finite number, or one for each channel.
    """
    channels = pixels.shape[1]
    mean = pixels.flatten(2).mean(2).double().mean(0)
    value = mean if isinstance(fill, str) else _numbers(fill, channels).to(pixels.device)
    colours = [value.to(pixels.dtype).expand(channels), pixels.amin((0, 2, 3)), pixels.amax((0, 2, 3))]
    return Palette(*[c.reshape(channels, 1, 1) for c in colours])


def _numbers(fill: Any, channels: int) -> Tensor:
    try:
        value = torch.as_tensor(fill)
    except (TypeError, ValueError, RuntimeError):
        value = torch.tensor(torch.nan)
    if value.shape not in ((), (channels,)) or value.is_complex() or not value.isfinite().all():
        raise InputError(
            f"fill={fill!r}; expected 'mean', a finite number, or ({channels},) of them, one for each channel, in the "
            "model's units"
        )
    return value


def modified(pixels: Tensor, ranks: Tensor, fraction: float, direction: str, colours: Palette, picture: bool) -> Tensor:
    """Images without the pixels that ROAR or KAR removes. ``(B, C, H, W), (B, H, W) -> (B, C, H, W)``.

    Source: Hooker et al. 2019, section 3; mask alone as a picture: Rong et al. 2022, arXiv:2202.00449, section 3.

    Args:
        fraction: removed by "roar", kept by "kar".
        picture: show the mask alone, the images' own values destroyed.
    """
    return replaced(pixels, removed(ranks, fraction, direction), colours, picture)


def replaced(pixels: Tensor, gone: Tensor, colours: Palette, picture: bool) -> Tensor:
    """``(..., C, H, W)`` without the pixels that are gone, ``(..., 1, H, W)``; or the mask of these as a picture."""
    if picture:
        return torch.where(gone, colours.dark, colours.light)
    return torch.where(gone, colours.fill, pixels)


def stored_ranks(files: Sequence[Path], name: str) -> Tensor | None:
    """The ranks of one entry from the files of all shards ``(N, H, W)``; None where a shard has none.

    Raises:
        RunError: a file that cannot be read.
    """
    parts = []
    for path in files:
        try:
            with safe_open(path, framework="pt") as file:
                if name not in file.keys():  # noqa: SIM118  (it is no dict)
                    return None
                parts.append(file.get_tensor(name))
        except (OSError, SafetensorError) as error:
            raise RunError(f"{path} cannot be read ({error}); delete it and run the same command again") from error
    return torch.cat(parts)
