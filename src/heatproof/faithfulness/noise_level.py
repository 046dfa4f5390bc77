"""How noisy maps are: attribution outside the object, and total variation (RectGrad paper, section 5.3, figure 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor

from ..checks.subject import Record
from .kind import Batch, Bench, Found, Kind, Measure
from .map_rows import checked, finite_only, magnitudes, mask_rows
from .multiplied import PRODUCT_HELP, SOURCE_HELP, UNFAIR_HELP, check_source, fair, reasons, refusals
from .probe import measured
from .rectgrad_code import PREPROCESS_HELP, check_preprocess, preprocessed, way_of


@dataclass(frozen=True)
class NoiseLevel:
    """Numbers of each map, float64 ``(B,)``; NaN for maps that are not finite.

    Attributes:
        outside: sum of |m| outside the mask, in the units of the map.
        outside_share: that over the sum everywhere; NaN for a map of zeros.
        outside_times: that over the share of pixels outside: 1 = chance, 0 = all on the object.
        total_variation: sum of |differences| of neighbours down and across, in the units of the map.
        relative_variation: that over the sum of |m|, in [0, 4]: 4 = every value alone among zeros.
    """

    outside: Tensor
    outside_share: Tensor
    outside_times: Tensor
    total_variation: Tensor
    relative_variation: Tensor


def noise_level(maps: Tensor, masks: Tensor | None = None, *, preprocess: str | None = None) -> NoiseLevel:
    """Attribution on the background and total variation. ``(B, C, H, W), (B, 1, H, W) bool -> (B,)`` each.

    Source: Kim et al. 2019, arXiv:1902.04893, section 5.3. The raw sums are the paper's and favour methods of small
    scale (RectGrad keeps 2 % of the gradient); the shares are ours and see no scale. Deviations: sums run over all
    channels of |m|, and variation over each channel; the authors' code measures one channel, see `preprocess`. The
    paper's bars are sums over 100 images.

    Args:
        maps: raw; C may be 1.
        masks: True on the object; without them the numbers that need one are NaN.
        preprocess: None; "code": signed channel sum with what is under the 95th percentile removed, as the authors do to
            every baseline; "rectgrad": positive part summed over channels, as they do to RectGrad.

    Raises:
        InputError: maps or masks of another shape or type, another word for `preprocess`.

    Example:
        >>> noise_level(torch.tensor([[[[0.0, 1.0], [2.0, 4.0]]]])).total_variation
        tensor([8.], dtype=torch.float64)
    """
    m = preprocessed(checked(maps, "noise_level"), preprocess)
    size = magnitudes(m)
    background = torch.full_like(size, torch.nan) if masks is None else (~mask_rows(masks, m, "noise_level")).double()
    total, outside, varied = size.sum(1), (size * background).sum(1), _total_variation(m)
    share = outside / total
    found = (outside, share, share / background.mean(1), varied, varied / total)
    return NoiseLevel(*(finite_only(values, m) for values in found))


def _total_variation(maps: Tensor) -> Tensor:
    """Anisotropic, as tf.image.total_variation: sum |m[i+1, j] - m[i, j]| + |m[i, j+1] - m[i, j]|. ``(B,)``"""
    down, across = (maps.diff(dim=side).abs().sum((1, 2, 3)) for side in (2, 3))
    return down + across


@dataclass(frozen=True)
class Noise:
    """Options of the bench."""

    statistic: str = field(default="", metadata={"help": PREPROCESS_HELP})
    source: str = field(default="", metadata={"help": SOURCE_HELP, "internal": True})
    unfair: tuple[str, ...] = field(default=(), metadata={"help": UNFAIR_HELP, "internal": True})
    product: tuple[str, ...] = field(default=(), metadata={"help": PRODUCT_HELP, "internal": True})

    def __post_init__(self) -> None:
        check_preprocess(self.statistic)
        check_source(self.source)


VARIATION = {
    "relative_variation": Measure("total variation / sum of |attribution|", "lower"),
    "total_variation": Measure("total variation, in the units of the map", "lower", raw=True),
}
MEASURES = {
    "outside_times": Measure("attribution outside the mask / share of the area there (1 = chance)", "lower"),
    "outside_share": Measure("share of attribution outside the mask", "lower"),
    **VARIATION,
    "outside": Measure("attribution outside the mask, in the units of the map", "lower", raw=True),
}


def work(bench: Bench, shard: list[int]) -> Record:
    """The numbers of every method; those that its masks favour by construction keep their total variation alone."""
    refused = reasons(bench)

    def measure(name: str, maps: Tensor, batch: Batch) -> Found:
        masks = None if name in refused else batch.masks
        found = asdict(
            noise_level(maps, masks, preprocess=way_of(bench.subject.methods[name], bench.options.statistic))
        )
        return {(metric, 0): found[metric] for metric in (VARIATION if masks is None else MEASURES)}

    record = measured(bench, shard, measure)
    record.rows += refusals(bench, shard)
    return record


def _measures(options: Noise) -> Mapping[str, Measure]:
    return MEASURES


KIND = Kind(
    name="noise",
    title="Noise level",
    about=(
        "Attribution outside the object, where masks are known, and total variation: how much of a map is noise if the "
        "network looks at the object alone. Raw sums are the paper's and favour methods of small scale; shares and ratios "
        "see no scale. A map can be smooth and wrong: read it beside the randomisation checks."
    ),
    source="Kim et al. 2019, arXiv:1902.04893, section 5.3, figure 8",
    work=work,
    options=Noise,
    measures=_measures,
    masks="optional",
    prepare=fair,
)
