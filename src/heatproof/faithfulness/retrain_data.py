"""What a network is retrained on: images with pixels removed by rank, or the mask alone as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import RunError
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
    """Fill and mask colours from training images ``(N, C, H, W)``; "mean" is the mean of each channel."""
    channels = pixels.shape[1]
    mean = pixels.flatten(2).mean(2).double().mean(0)
    value = mean if isinstance(fill, str) else torch.as_tensor(fill).to(pixels.device)
    colours = [value.to(pixels.dtype).expand(channels), pixels.amin((0, 2, 3)), pixels.amax((0, 2, 3))]
    return Palette(*[c.reshape(channels, 1, 1) for c in colours])


def modified(pixels: Tensor, ranks: Tensor, fraction: float, direction: str, colours: Palette, picture: bool) -> Tensor:
    """Images without the pixels that ROAR or KAR removes. ``(B, C, H, W), (B, H, W) -> (B, C, H, W)``.

    Source: Hooker et al. 2019, section 3; mask alone as a picture: Rong et al. 2022, arXiv:2202.00449, section 3.

    Args:
        fraction: removed by "roar", kept by "kar".
        picture: show the mask alone, the images' own values destroyed.
    """
    gone = removed(ranks, fraction, direction)
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
