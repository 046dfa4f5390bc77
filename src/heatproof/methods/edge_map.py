"""A control: an edge detector, which depends on the image alone (Sanity Checks, figure 1)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from ..engine.call import check_image, without_model
from ..score import logit
from ..types import Score, method


@method(source="arXiv:1810.03292, figure 1", channels=False, signed=False, image=True, uses_model=False)
def edge_map(model: nn.Module, inputs: Tensor, target: Any = None, *, score: Score = logit) -> Tensor:
    """Sobel gradient magnitude of the mean over channels. ``(B, C, H, W) -> (B, 1, H, W)``.

    The upper bracket of every table: it ignores the model, so that its similarity under any randomisation is exactly 1.

    Returns:
        Input units per pixel, not negative; border pixels are repeated outwards.
    """
    del score
    check_image(inputs, "edge_map")
    grey = pad(inputs.detach().mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    sobel = (
        torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], dtype=grey.dtype, device=grey.device) / 8
    )
    slopes = conv2d(grey, torch.stack([sobel, sobel.T])[:, None])
    return without_model(model, inputs, target, slopes.square().sum(1, keepdim=True).sqrt())
