"""Where attribution lies when it is known where the object is: pointing, mass, ranks (pointing game, RMA, RRA, AUC)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import InputError
from .map_rows import checked, finite_only, magnitudes, mask_rows, sums

RANKS = ("abs", "signed")


@dataclass(frozen=True)
class Localisation:
    """Numbers of each map, float64 ``(B,)``; NaN for maps that are not finite and for empty masks (but for `area`).

    Attributes:
        pointing: 1 where the highest pixel is inside; the share of the highest that are, where several are equal.
        mass: share of sum_c |m| inside; NaN for a map of zeros.
        mass_positive: share of the positive part of sum_c m inside; NaN where nothing is positive.
        rank_accuracy: share of the K highest pixels that are inside, K the pixels of the mask; expectation under ties.
        auc: chance that a pixel inside is higher than one outside, ties count half; NaN for a mask of the whole image.
        area: share of the pixels inside: what pointing, mass and rank accuracy are by chance (0.5 for auc).
        times: mass / area; 1 = chance.
        gain: (mass - area) / (1 - area): 0 = chance, 1 = all inside.
    """

    pointing: Tensor
    mass: Tensor
    mass_positive: Tensor
    rank_accuracy: Tensor
    auc: Tensor
    area: Tensor
    times: Tensor
    gain: Tensor


def localisation(maps: Tensor, masks: Tensor, *, rank: str = "abs") -> Localisation:
    """How well maps find the object. ``(B, C, H, W), (B, 1, H, W) bool -> (B,)`` each.

    Source: pointing game, Zhang et al. 2018 (arXiv:1608.00507); mass and rank accuracy, Arras et al. 2022 ("CLEVR-XAI",
    arXiv:2003.07258), with channels pooled by their l1-norm, and by "sum, pos" for `mass_positive`, which on grids of
    images is the grid pointing game of Böhle et al. 2021 (arXiv:2104.00032). Deviations: ties count in expectation, so
    that a constant map is at chance, in place of the order of pixels; no margin around the object.

    Args:
        maps: raw and signed; C may be 1.
        masks: True on the object.
        rank: what orders the pixels of pointing, rank accuracy and auc: "abs" sum_c |m|, "signed" sum_c m.

    Returns:
        Shares in [0, 1]; higher is better for all but `area`.

    Raises:
        InputError: maps or masks of another shape or type, another `rank`.

    Example:
        >>> m = torch.tensor([[[[3.0, -1.0], [0.0, 0.0]]]])
        >>> localisation(m, torch.tensor([[[[True, False], [True, False]]]])).mass
        tensor([0.7500], dtype=torch.float64)
    """
    check_rank(rank)
    m = checked(maps, "localisation")
    inside = mask_rows(masks, m, "localisation").double()
    size, signed = magnitudes(m), sums(m)
    height = size if rank == "abs" else signed
    ordered = height.sort(1).values
    area, mass = inside.mean(1), _share(size, inside)
    values = (
        _pointing(height, inside), mass, _share(signed.clamp(min=0), inside), _rank_accuracy(height, ordered, inside),
        _auc(height, ordered, inside), area, mass / area, (mass - area) / (1 - area),
    )  # fmt: skip
    found = Localisation(*(finite_only(v, m).masked_fill(area == 0, torch.nan) for v in values))
    return replace(found, area=area)


def _share(size: Tensor, inside: Tensor) -> Tensor:
    return (size * inside).sum(1) / size.sum(1)


def _pointing(height: Tensor, inside: Tensor) -> Tensor:
    return _share((height == height.amax(1, keepdim=True)).double(), inside)


def _rank_accuracy(height: Tensor, ordered: Tensor, inside: Tensor) -> Tensor:
    """Those above the K-th highest count in full, those equal to it by the share of them that is still needed."""
    k = inside.sum(1, keepdim=True)
    last = ordered.gather(1, (height.shape[1] - k.long()).clamp(max=height.shape[1] - 1))
    above, level = (height > last).double(), (height == last).double()
    needed = (k - above.sum(1, keepdim=True)) / level.sum(1, keepdim=True)
    return ((above + needed * level) * inside).sum(1) / k[:, 0]


def _auc(height: Tensor, ordered: Tensor, inside: Tensor) -> Tensor:
    """Mann and Whitney's U of average ranks, over the number of pairs; whole and half numbers, exact."""
    lower, upper = (torch.searchsorted(ordered, height, right=right) for right in (False, True))
    k, ranks = inside.sum(1), (lower + upper + 1) / 2
    return ((ranks * inside).sum(1) - k * (k + 1) / 2) / (k * (height.shape[1] - k))


def check_rank(rank: str) -> None:
    if rank not in RANKS:
        raise InputError(f"rank={rank!r}; expected 'abs' (sum_c |m|) or 'signed' (sum_c m)")
