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

    def __call__(self, share: Tensor, size: tuple[int, int], *, scratch: bool = False) -> Tensor:
        """``(B, C, h, w) -> (B, 1, H, W)``: psi of every channel, summed. With `scratch` the share may be overwritten:
        on a CPU, room for another tensor of its size costs more than all the arithmetic."""
        scaled = self._summed(self._valued(share, scratch))  # summed first: upsampling is linear
        if scaled.shape[2:] == size:
            return scaled
        return interpolate(scaled, size=size, mode="bilinear", align_corners=bool(self.align_corners))

    def _valued(self, share: Tensor, scratch: bool) -> Tensor:
        if self.values == "signed":
            return share
        value = share if scratch else share.clone()
        if self.values == "negative":
            value.neg_()
        return value.abs_() if self.values == "abs" else value.relu_()

    def _summed(self, value: Tensor) -> Tensor:
        """Sum over the channels of (v - low) / (high - low), by the sum of v where low and high are those of a layer."""
        if self.rescale == "none":
            return value.sum(1, keepdim=True)
        over = (1, 2, 3) if self.rescale == "layer" else (2, 3)
        if self.values == "signed":
            low = value.new_zeros(())
            high = torch.maximum(value.amax(over, keepdim=True), -value.amin(over, keepdim=True))
        else:
            low, high = value.amin(over, keepdim=True), value.amax(over, keepdim=True)
        if self.rescale == "channel":
            return _divided(value - low, high - low + self.eps).sum(1, keepdim=True)
        return _divided(value.sum(1, keepdim=True) - value.shape[1] * low, high - low + self.eps)


def _divided(share: Tensor, size: Tensor) -> Tensor:
    """A constant share has nothing to show: zeros, not NaN."""
    return torch.where(size > 0, share / size, 0)
