"""Post-processing of full gradients (FullGrad paper, equation 2): psi = upsample(rescale(|.|)), and its family."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .errors import InputError

VALUES = ("abs", "signed", "positive", "negative")
RESCALE = ("layer", "channel", "none")


@dataclass(frozen=True)
class Psi:
    """How one operation's share becomes a map.

    Attributes:
        values: "abs" (the paper), "signed" (psi_m: keep the sign), "positive", "negative" (one side, not negative).
        rescale: to [0, 1] over all channels of a layer ("layer", as both official codes), over each channel ("channel",
            equation 2 as printed), or not at all ("none"). Signed values are divided by their largest size instead, so
            that zero stays zero. Always within one sample.
        align_corners: of the bilinear upsampling. eps: added to the maximum (the current official code: 1e-6).
    """

    values: str = "abs"
    rescale: str = "layer"
    align_corners: bool = False
    eps: float = 0.0

    def __post_init__(self) -> None:
        if self.values not in VALUES or self.rescale not in RESCALE:
            raise InputError(
                f"values={self.values!r}, rescale={self.rescale!r}; expected values of {', '.join(VALUES)} and rescale of "
                f"{', '.join(RESCALE)}"
            )

    def __call__(self, share: Tensor, size: tuple[int, int]) -> Tensor:
        """``(B, C, h, w) -> (B, 1, H, W)``: psi of every channel, summed."""
        scaled = self._rescaled(self._valued(share)).sum(1, keepdim=True)  # summed first: upsampling is linear
        if scaled.shape[2:] == size:
            return scaled
        return interpolate(scaled, size=size, mode="bilinear", align_corners=bool(self.align_corners))

    def _valued(self, share: Tensor) -> Tensor:
        if self.values == "abs":
            return share.abs()
        return {"signed": share, "positive": share.relu(), "negative": (-share).relu()}[self.values]

    def _rescaled(self, share: Tensor) -> Tensor:
        if self.rescale == "none":
            return share
        over = (1, 2, 3) if self.rescale == "layer" else (2, 3)
        if self.values == "signed":
            return _divided(share, share.abs().amax(over, keepdim=True) + self.eps)
        low = share.amin(over, keepdim=True)
        return _divided(share - low, (share - low).amax(over, keepdim=True) + self.eps)


def _divided(share: Tensor, size: Tensor) -> Tensor:
    """A constant share has nothing to show: zeros, not NaN."""
    return torch.where(size > 0, share / size, 0)
