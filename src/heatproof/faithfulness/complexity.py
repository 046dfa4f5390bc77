"""How concentrated maps are: entropy, Gini index, pixels that hold most of the mass, zeros."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import log

import torch
from torch import Tensor

from ..checks.subject import Record
from ..errors import InputError
from .kind import Batch, Bench, Found, Kind, Measure
from .map_rows import checked, finite_only, magnitudes
from .probe import measured


@dataclass(frozen=True)
class Complexity:
    """Numbers of each map, float64 ``(B,)``; NaN for maps that are not finite, and of zeros but for `zeros`.

    Attributes:
        entropy: of the pixels' shares of sum_c |m|, nats: 0 = one pixel, log N = all alike.
        evenness: entropy / log N, in [0, 1].
        gini: 0 = all alike, 1 - 1/N = one pixel.
        effective: fewest pixels that hold `mass` of the attribution.
        effective_share: that over N.
        zeros: share of the pixels that are exactly zero in all channels.
    """

    entropy: Tensor
    evenness: Tensor
    gini: Tensor
    effective: Tensor
    effective_share: Tensor
    zeros: Tensor


def complexity(maps: Tensor, *, mass: float = 0.9) -> Complexity:
    """How many pixels share a map's attribution. ``(B, C, H, W) -> (B,)`` each; none of them sees the scale.

    Source: entropy, Bhatt et al. 2020 (arXiv:2005.00631), definition 3; Gini index, Chalasani et al. 2020
    (arXiv:1810.06583), section 5. Deviations: features are pixels, sum_c |m|; nothing is added to zeros (Quantus adds
    1e-12 and 1e-7, by which its Gini index sees the scale of the map).

    Args:
        maps: raw; C may be 1.
        mass: share of the attribution that the effective pixels hold, in (0, 1].

    Raises:
        InputError: not maps, or `mass` out of range.

    Example:
        >>> complexity(torch.tensor([[[[4.0, 0.0], [-4.0, 0.0]]]])).entropy.exp()  # as two equal pixels
        tensor([2.], dtype=torch.float64)
    """
    _check_mass(mass)
    m = checked(maps, "complexity")
    size = magnitudes(m)
    pixels, total = size.shape[1], size.sum(1, keepdim=True)
    share = (size / total).sort(1, descending=True).values
    entropy = torch.special.entr(share).sum(1)  # Bhatt et al., equation 7: -sum p log p
    effective = _effective(share, mass).masked_fill(total[:, 0] == 0, torch.nan)
    evenness = entropy / log(pixels) if pixels > 1 else torch.full_like(entropy, torch.nan)
    found = (entropy, evenness, _gini(share), effective, effective / pixels, (size == 0).double().mean(1))
    return Complexity(*(finite_only(values, m) for values in found))


def _gini(share: Tensor) -> Tensor:
    """``1 - 2 sum_k v_k (N - k + 1/2) / N`` for ascending shares, so with (k - 1/2) for these descending ones."""
    pixels = share.shape[1]
    places = torch.arange(pixels, dtype=share.dtype, device=share.device) + 0.5
    return 1 - 2 * (share * places).sum(1) / pixels


def _effective(share: Tensor, mass: float) -> Tensor:
    """Pixels before the sum of descending shares reaches the mass, and the one with which it does."""
    short = share.cumsum(1) < mass * (1 - 1e-9)  # ten shares of 0.1 may sum to less than 1
    return (short.sum(1) + 1).clamp(max=share.shape[1]).double()


def _check_mass(mass: float) -> None:
    if not 0 < mass <= 1:
        raise InputError(f"mass={mass}; expected a share of the attribution over 0 and up to 1, such as 0.9")


@dataclass(frozen=True)
class Concentration:
    """Options of the bench."""

    mass: float = field(default=0.9, metadata={"help": "share of the attribution that the effective pixels hold"})

    def __post_init__(self) -> None:
        _check_mass(self.mass)


def measures(options: Concentration) -> Mapping[str, Measure]:
    """The numbers; none is better high or low, since a sparse map is not right by being sparse."""
    held = f"{options.mass:.0%} of the attribution"
    return {
        "evenness": Measure("entropy / log N: 0 = one pixel, 1 = all alike"),
        "effective_share": Measure(f"share of the pixels that hold {held}"),
        "gini": Measure("Gini index: 0 = all alike, 1 = one pixel"),
        "zeros": Measure("share of pixels that are exactly zero"),
        "entropy": Measure("entropy of the pixels' shares, nats"),
        "effective": Measure(f"pixels that hold {held}"),
    }


def work(bench: Bench, shard: list[int]) -> Record:
    """The numbers of every method."""

    def measure(name: str, maps: Tensor, batch: Batch) -> Found:
        return {(metric, 0): v for metric, v in asdict(complexity(maps, mass=bench.options.mass)).items()}

    return measured(bench, shard, measure)


KIND = Kind(
    name="complexity",
    title="Complexity",
    about=(
        "How many pixels share a map's attribution. Fewer are easier to read, not more right: one wrong pixel has the "
        "lowest entropy of all. Read it beside the measures of faithfulness."
    ),
    source="Bhatt et al. 2020, arXiv:2005.00631; Chalasani et al. 2020, arXiv:1810.06583",
    work=work,
    options=Concentration,
    measures=measures,
)
