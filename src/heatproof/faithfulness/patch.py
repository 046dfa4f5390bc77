"""Training-dataset occlusion (RectGrad paper, section 3.1): the same random patch on every image, of training and test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor

from ..checks.subject import Record
from ..data.streamed import held
from ..engine.chunks import generator
from ..errors import InputError
from .kind import Batch, Bench, Found, Kind, Measure
from .map_rows import checked, finite_only
from .probe import measured
from .rectgrad_code import PREPROCESS_HELP, check_preprocess, preprocessed, way_of

SIZE = 10
"""Side of the patch, pixels. Kim et al. 2019: 10 of 32."""
LARGEST = 10_000
MARGIN = 2
"""Pixels at its right and lower edge that are left out of the measure: a 3x3 filter there also sees the image."""


def random_patch(channels: int, size: int = SIZE, seed: int = 0) -> Tensor:
    """Uniform noise in [0, 1], each channel for itself. ``(channels, size, size)``.

    Source: Kim et al. 2019, section 3.1; the authors' code draws whole numbers up to 254.

    Raises:
        InputError: no pixels, or more than any image has.
    """
    if not 1 <= size <= LARGEST:
        raise InputError(f"a patch of {size} x {size} pixels; expected a side of 1 to {LARGEST}, less than the images'")
    return torch.rand(channels, size, size, generator=generator("patch", seed))


def with_patch(images: Tensor, patch: Tensor) -> Tensor:
    """The images with their upper left corner replaced. ``(N, C, H, W), (C, s, s) -> (N, C, H, W)``, in the same units.

    Raises:
        InputError: the patch has other channels than the images, or is as large as they are.
    """
    channels, height, width = patch.shape
    if images.dim() != 4 or images.shape[1] != channels or height >= images.shape[2] or width >= images.shape[3]:
        raise InputError(
            f"with_patch got images {tuple(images.shape)} and a patch {tuple(patch.shape)}; expected (N, C, H, W) and a "
            "smaller patch of the same channels"
        )
    occluded = images.clone()
    occluded[:, :, :height, :width] = patch.to(images)
    return occluded


@dataclass(frozen=True)
class InsidePatch:
    """Numbers of each map, float64 ``(B,)``; NaN for maps that are not finite.

    Attributes:
        inside: sum of |m| in the patch less its margin, in the units of the map.
        inside_signed: sum of m there.
        share: `inside` over the sum everywhere; NaN for a map of zeros.
        times: that over the share of the image's pixels that lie there: 1 = chance, 0 = none on the patch.
    """

    inside: Tensor
    inside_signed: Tensor
    share: Tensor
    times: Tensor


def attribution_inside_patch(
    maps: Tensor, size: int = SIZE, margin: int = MARGIN, *, preprocess: str | None = None
) -> InsidePatch:
    """Attribution on a patch in the upper left corner that says nothing of the class. ``(B, C, H, W) -> (B,)`` each.

    Source: Kim et al. 2019, arXiv:1902.04893, sections 3.1 and 5.3, figure 7: the sum of |m| over 8x8 of 10x10 pixels,
    of the sum over channels. Deviations: |m| is taken in each channel; the share and times, which see no scale, are ours.
    The authors' code leaves the absolute value out: `inside_signed` with `preprocess` is its statistic. The margin guards
    the first 3x3 layer alone; deeper units see past it.

    Args:
        maps: raw, of images with the patch.
        size: side of the patch, pixels.
        margin: pixels at its right and lower edge that are left out.
        preprocess: None; "code" and "rectgrad" as in `noise_level`.

    Raises:
        InputError: not maps; nothing left of the patch, or one that is no smaller than the maps.

    Example:
        >>> attribution_inside_patch(torch.ones(1, 1, 32, 32)).inside
        tensor([64.], dtype=torch.float64)
    """
    m = preprocessed(checked(maps, "attribution_inside_patch"), preprocess)
    _check_patch(size, margin, min(m.shape[2:]))
    side = size - margin
    corner = m[:, :, :side, :side]
    inside, total = corner.abs().sum((1, 2, 3)), m.abs().sum((1, 2, 3))
    share = inside / total
    times = share / (side * side / (m.shape[2] * m.shape[3]))
    return InsidePatch(*(finite_only(v, m) for v in (inside, corner.sum((1, 2, 3)), share, times)))


def _check_patch(size: int, margin: int, smallest: float = float("inf")) -> None:
    if not 0 <= margin < size < smallest:
        limit = f", smaller than the maps ({smallest})" if smallest != float("inf") else ""
        raise InputError(f"size={size}, margin={margin}; expected 0 <= margin < size{limit}, such as size=10, margin=2")


@dataclass(frozen=True)
class Patch:
    """Options of the bench."""

    side: int = field(default=SIZE, metadata={"help": "side of the patch, pixels"})
    margin: int = field(default=MARGIN, metadata={"help": "pixels at its right and lower edge that are left out"})
    statistic: str = field(default="", metadata={"help": PREPROCESS_HELP})

    def __post_init__(self) -> None:
        _check_patch(self.side, self.margin)
        check_preprocess(self.statistic)


MEASURES = {
    "times": Measure("attribution on the patch / share of the area there (1 = chance)", "lower"),
    "share": Measure("share of attribution on the patch", "lower"),
    "inside": Measure("attribution on the patch, in the units of the map", "lower", raw=True),
    "inside_signed": Measure("signed sum on the patch (the authors' code), in the units of the map", raw=True),
}


def prepare(bench: Bench) -> Bench:
    """The bench as it is; raises for images that the patch does not fit into, or that do not all carry the same one."""
    images, options = held(bench.subject.images), bench.options
    _check_patch(options.side, options.margin, min(images.shape[2:]))
    corner = images[:, :, : options.side, : options.side]
    if not torch.equal(corner, corner[:1].expand_as(corner)):
        raise InputError(
            f"the upper left {options.side}x{options.side} pixels differ between images; expected the same patch on all of "
            "them, and on those that the network was trained on: with_patch(images, random_patch(channels))"
        )
    return bench


def work(bench: Bench, shard: list[int]) -> Record:
    """The numbers of every method."""
    o = bench.options

    def measure(name: str, maps: Tensor, batch: Batch) -> Found:
        way = way_of(bench.subject.methods[name], o.statistic)
        found = asdict(attribution_inside_patch(maps, o.side, o.margin, preprocess=way))
        return {(metric, 0): found[metric] for metric in MEASURES}

    return measured(bench, shard, measure)


def _measures(options: Patch) -> Mapping[str, Measure]:
    return MEASURES


KIND = Kind(
    name="patch",
    title="Training-dataset occlusion",
    about=(
        "Attribution on a patch of noise that every image of training and test carries, so that it says nothing of the "
        "class: a faithful map has little there. Raw sums are the paper's and favour methods of small scale; share and "
        "times see no scale. Whether the network ignores the patch is a question of its training."
    ),
    source="Kim et al. 2019, arXiv:1902.04893, sections 3.1 and 5.3, figure 7",
    work=work,
    options=Patch,
    measures=_measures,
    prepare=prepare,
)
