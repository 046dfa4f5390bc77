"""A Hugging Face folder's own preprocessing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..data.preprocess import Preprocess
from .hub_library import LOCAL, config_of, library, told


@dataclass(frozen=True)
class HubPreprocess:
    """A folder's own preprocessing, as transformers does it with Pillow: PIL image -> float ``(C, H, W)``."""

    folder: str
    processor: Any = field(compare=False, repr=False)

    def __call__(self, image: Image.Image) -> Tensor:
        found: Tensor = torch.as_tensor(self.processor(image, return_tensors="pt")["pixel_values"])
        return found[0]

    def __str__(self) -> str:
        return f"hf:{self.folder}"


def hub_preprocess(folder: str) -> Preprocess | None:
    """The folder's preprocessing, by its own code, with the mean and std that it has; None where the folder has none."""
    if not (Path(folder) / "preprocessor_config.json").is_file():
        return None
    with told(folder):
        processor = library().AutoImageProcessor.from_pretrained(folder, backend="pil", **LOCAL)
        function = HubPreprocess(folder, processor)
        channels = int(getattr(config_of(folder), "num_channels", 3))
        filter_ = Image.Resampling(int(getattr(processor, "resample", None) or 2))
        black, white = (function(Image.new("L" if channels == 1 else "RGB", (64, 64), c)) for c in ("black", "white"))
    mean, std = _scales(black.flatten(1), white.flatten(1))
    return Preprocess(
        mean=mean, std=std, channels=channels, function=function, interpolation=filter_.name.lower(), preset=True
    )


def _scales(black: Tensor, white: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]] | tuple[None, None]:
    """Mean and std, read off black and white pictures, ``(C, N)``, whatever settings they come from; None where it is not
    by a mean and a std that they differ."""
    low, high = black.double().mean(1), white.double().mean(1)
    even = all(torch.allclose(p.double(), v[:, None], atol=1e-5) for p, v in ((black, low), (white, high)))
    if not even or not (high > low).all():
        return None, None
    std = 1 / (high - low)
    return tuple((-low * std).tolist()), tuple(std.tolist())
