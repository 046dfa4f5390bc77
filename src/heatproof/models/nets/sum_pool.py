"""The one-layer network that "Sanity Checks for Saliency Maps" explains edges in maps with."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class SumPoolConv(nn.Module):
    """One logit for each 3x3 filter: its rectified map, summed over all places. ``(B, channels, H, W) -> (B, filters)``.

    Source: Adebayo et al. 2018, arXiv:1810.03292, section 5.3: one random filter on a grey image, one output l(x), no
    bias. Deviations: several filters make a classifier of as many classes; the paper does not name the distribution of
    its filter, here PyTorch's. The gradient has a closed form: `heatproof.theory.sum_pool`.

    Args:
        filters: number of logits.
        channels: 1 for grey images.
        bias: of each filter; the paper has none.
    """

    def __init__(self, filters: int = 1, channels: int = 1, bias: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, 3, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x)).sum((2, 3))
