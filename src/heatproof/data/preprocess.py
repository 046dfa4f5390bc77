"""From a picture to what a model takes: resize, centre crop, scale, normalise; equal to torchvision's presets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..errors import InputError
from .decode import Pixels, as_pixels
from .lookup import current_directory_importable, find_object

Size = int | tuple[int, int]
LARGEST = 1e38
"""Of float32."""


@dataclass(frozen=True)
class Preprocess:
    """How a picture becomes model input. A number for `mean` or `std` holds for all channels.

    Attributes:
        size: side of the centre crop, or its ``(height, width)``; None keeps the picture's own size.
        resize: the short side before the crop; None means `size`.
        mean, std: per channel, for pixels in [0, 1]; None leaves them in [0, 1].
        channels: 1 or 3, converting between grey and RGB; None follows the length of `mean`, else the pictures.
        function: ``package.module:function`` or a callable, 8-bit PIL image (RGB, or L where channels=1) -> float
            ``(C, H, W)`` in model units, in place of all the above; mean and std then only undo it for display.
        interpolation: a filter of Pillow by its name.
        preset: the numbers are the model's own and not the caller's: float stacks are then in model units already.
    """

    size: Size | None = None
    resize: int | None = None
    mean: tuple[float, ...] | float | None = None
    std: tuple[float, ...] | float | None = None
    channels: int | None = None
    function: str | Callable[[Image.Image], Tensor] | None = None
    interpolation: str = "bilinear"
    preset: bool = False

    def __post_init__(self) -> None:
        _check(self)

    @property
    def wanted_channels(self) -> int | None:
        """1, 3, or None where the pictures decide."""
        if self.channels is None and isinstance(self.mean, tuple) and len(self.mean) > 1:
            return len(self.mean)
        return self.channels


def override(preset: Preprocess | None, **given: Any) -> Preprocess:
    """The model's preset with what the caller gave instead (None = not given); a new size keeps the preset's margin."""
    base = preset or Preprocess()
    given = {name: value for name, value in given.items() if value is not None}
    if not given:
        return base
    if "function" in given:
        return Preprocess(**given)
    if isinstance(given.get("size"), int) and "resize" not in given:
        margin = base.resize / base.size if base.resize and isinstance(base.size, int) else 1.0
        given["resize"] = round(given["size"] * margin)
    own = base.preset and not {"mean", "std"} & set(given)
    return dataclasses.replace(base, **{"function": None, "preset": own, **given})


def prepare(picture: Image.Image | Pixels, preprocess: Preprocess, name: str = "an image") -> Tensor:
    """Model input of one picture. PIL image or ``(H, W, C)`` uint8 or uint16 -> float32 ``(C, H, W)``.

    Same numbers as torchvision's Resize, CenterCrop, ToTensor, Normalize on PIL images; 16-bit pixels are resized in
    float and divided by 65535.

    Raises:
        InputError: channel counts that do not fit, a strip that would be resized beyond Pillow's limit, a function that
            fails or returns something else.
    """
    pixels = as_pixels(picture) if isinstance(picture, Image.Image) else picture
    if preprocess.function is not None:
        return _by_function(pixels, preprocess, name)
    pixels = with_channels(pixels, preprocess.wanted_channels, name)
    if reason := too_large(pixels, preprocess):
        raise InputError(f"{name}: {reason}")
    white = 65535.0 if pixels.dtype == np.uint16 else 255.0
    values = _cropped(_resized(pixels, preprocess), preprocess.size).transpose(2, 0, 1).astype(np.float32, order="C")
    return normalised(torch.from_numpy(values).div_(white), preprocess, name)


def normalised(unit: Tensor, preprocess: Preprocess, name: str = "an image") -> Tensor:
    """``(x - mean) / std`` on ``(..., C, H, W)``; unchanged where no mean is set."""
    if preprocess.mean is None:
        return unit
    mean, std = scales(preprocess, unit.shape[-3], name)
    return (unit - torch.tensor(mean)[:, None, None]).div_(torch.tensor(std)[:, None, None])


def scales(preprocess: Preprocess, channels: int, name: str = "an image") -> tuple[tuple[float, ...], ...]:
    """Mean and std per channel; 0 and 1 where none are set."""
    pair = (0.0, 1.0) if preprocess.mean is None else (preprocess.mean, preprocess.std)
    full = tuple(v * channels if len(v) == 1 else v for v in (_as_tuple(v) for v in pair))
    if {len(v) for v in full} != {channels}:
        raise InputError(
            f"{name} has {channels} channels, but mean={preprocess.mean} and std={preprocess.std}; "
            "give one number for all channels, or one for each"
        )
    return full


def as_picture(values: Tensor, mean: tuple[float, ...] | None, std: tuple[float, ...] | None) -> NDArray[np.uint8]:
    """Model input for display. ``(C, H, W) -> (H, W, 3)`` uint8, with mean and std undone.

    Where they are unknown, the image's own range is stretched to 0..255. Grey is repeated; other channel counts are shown
    as their average.
    """
    values = values.detach().float().cpu()
    if mean is not None and std is not None:
        values = values * torch.tensor(std)[:, None, None] + torch.tensor(mean)[:, None, None]
    if len(values) not in (1, 3):
        values = values.mean(0, keepdim=True)
    if mean is None or std is None:
        low, high = values.min(), values.max()
        values = (values - low) / (high - low if high > low else 1.0)
    shown = values.clamp(0, 1).mul(255).round().to(torch.uint8).expand(3, -1, -1)
    return np.ascontiguousarray(shown.permute(1, 2, 0).numpy())


def known_scales(preprocess: Preprocess, channels: int, name: str) -> tuple[tuple[float, ...] | None, ...]:
    """Mean and std per channel as in `scales`; None and None where a function made the pixels and nobody gave them."""
    known = preprocess.function is None or preprocess.mean is not None
    return scales(preprocess, channels, name) if known else (None, None)


def too_large(pixels: NDArray[Any], preprocess: Preprocess) -> str:
    """Why this picture cannot be resized, or an empty text: a strip of 1 x 10000 would become 224 x 2240000."""
    height, width = target_size(pixels.shape[:2], preprocess)
    limit = Image.MAX_IMAGE_PIXELS
    if limit is None or height * width <= limit:
        return ""
    return f"{pixels.shape[1]} x {pixels.shape[0]} would become {width} x {height}, over {limit} pixels; crop it first"


def _by_function(pixels: Pixels, preprocess: Preprocess, name: str) -> Tensor:
    eight = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    shown = with_channels(eight, preprocess.channels or 3, name)
    text = preprocess.function
    function = find_object(text, "a preprocessing function") if isinstance(text, str) else text
    if not callable(function):
        raise InputError(f"preprocess {text} is a {type(function).__name__}; expected a function: PIL image -> tensor")
    try:
        with current_directory_importable():
            out = function(_image(shown))
    except Exception as error:
        raise InputError(
            f"preprocess {text} failed on {name}: {type(error).__name__}: {error}; mend it: a PIL image is given to it"
        ) from error
    if not (isinstance(out, Tensor) and out.dim() == 3 and out.is_floating_point()):
        got = f"{out.dtype} {tuple(out.shape)}" if isinstance(out, Tensor) else f"a {type(out).__name__}"
        raise InputError(f"preprocess {text} returned {got} for {name}; expected a float tensor (C, H, W)")
    return out.detach().to("cpu", torch.float32)


def with_channels(pixels: Pixels, wanted: int | None, name: str) -> Pixels:
    """Grey to RGB by repeating, RGB to grey by its luma. ``(..., C)`` uint8 or uint16 -> ``(..., wanted)``"""
    held = pixels.shape[-1]
    if wanted is None or wanted == held:
        return pixels
    if held == 1:
        return np.repeat(pixels, wanted, axis=-1)
    if held == 3 and wanted == 1:  # ITU-R 601 in Pillow's fixed point, so that 8-bit pixels agree with convert("L")
        luma = pixels.astype(np.uint64) @ np.array([19595, 38470, 7471], dtype=np.uint64)
        return ((luma + 0x8000) >> 16).astype(pixels.dtype)[..., None]
    raise InputError(f"{name} has {held} channels and the model takes {wanted}; only grey and RGB can be converted")


def target_size(shape: tuple[int, ...], preprocess: Preprocess) -> tuple[int, int]:
    """Height and width after the resize, with torchvision's rounding."""
    height, width = shape
    size = preprocess.size
    short = preprocess.resize or (max(size) if isinstance(size, tuple) else size)
    if short is None:
        return height, width
    long = int(short * max(height, width) / min(height, width))
    return (short, long) if height <= width else (long, short)


def _resized(pixels: Pixels, preprocess: Preprocess) -> NDArray[Any]:
    height, width = target_size(pixels.shape[:2], preprocess)
    if pixels.shape[:2] == (height, width):
        return pixels
    filter_ = Image.Resampling[preprocess.interpolation.upper()]
    if pixels.dtype == np.uint8 and pixels.shape[2] in (1, 3):
        out = np.asarray(_image(pixels).resize((width, height), filter_))
        return out.reshape(height, width, -1)
    work = pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32)  # Pillow resizes no 16-bit integers
    planes = [np.asarray(Image.fromarray(plane).resize((width, height), filter_)) for plane in np.moveaxis(work, 2, 0)]
    return np.stack(planes, axis=2)


def _cropped(values: NDArray[Any], size: Size | None) -> NDArray[Any]:
    if size is None:
        return values
    height, width = size if isinstance(size, tuple) else (size, size)
    top, left = round((values.shape[0] - height) / 2.0), round((values.shape[1] - width) / 2.0)
    return values[top : top + height, left : left + width]


def _image(pixels: NDArray[Any]) -> Image.Image:
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _as_tuple(value: Any) -> tuple[float, ...]:
    return (float(value),) if isinstance(value, (int, float)) else tuple(float(v) for v in value)


def _check(p: Preprocess) -> None:
    sides = p.size if isinstance(p.size, tuple) else () if p.size is None else (p.size,)
    if any(side < 1 for side in sides) or len(sides) not in (0, 1, 2) or (p.resize is not None and p.resize < 1):
        raise InputError(f"size={p.size}, resize={p.resize}: expected positive whole numbers of pixels")
    if sides and p.resize is not None and p.resize < max(sides):
        raise InputError(f"resize={p.resize} is smaller than size={p.size}: the crop would reach over the edge")
    if (p.mean is None) != (p.std is None):
        raise InputError(f"mean={p.mean}, std={p.std}: give both or neither")
    if p.mean is not None and not all(abs(m) < LARGEST for m in _as_tuple(p.mean)):
        raise InputError(f"mean={p.mean}: expected finite numbers, of pixels in 0 to 1")
    if p.std is not None and not all(0 < s < LARGEST for s in _as_tuple(p.std)):
        raise InputError(f"std={p.std}: expected positive numbers, of pixels in 0 to 1")
    if p.channels not in (None, 1, 3):
        raise InputError(f"channels={p.channels}: expected 1 (grey), 3 (RGB) or None")
    if p.interpolation.upper() not in Image.Resampling.__members__:
        names = ", ".join(Image.Resampling.__members__).lower()
        raise InputError(f"interpolation={p.interpolation!r}: expected one of {names}")
