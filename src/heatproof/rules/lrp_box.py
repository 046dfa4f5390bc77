"""The box rule shares the relevance of the first convolution between what it reads and two images, the bounds of that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from ..engine.chunks import generator
from ..engine.interpose import Tap
from ..errors import InputError, NotApplicable


@dataclass
class Box:
    """Lowest and highest pixel values, None for each image's own; `places` are the leaves where gradients are read: each
    pixel's relevance is its value there times the gradient, whatever scale and shift lie between it and the image."""

    low: float | Tensor | None
    high: float | Tensor | None
    places: dict[str, Tap] = field(default_factory=dict)
    image: Any = None

    def begin(self, x: Tensor) -> None:
        """The first tensor that an operation of the model takes is the image."""
        self.image = self.image or (get_gradient_edge(x), x.shape)

    @property
    def key(self) -> Any:
        """What the map depends on; None for tensors, which do not compare as a whole."""
        given = (self.low, self.high)
        return None if any(isinstance(bound, Tensor) for bound in given) else given

    def leaves(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the first convolution reads and both bounds of it, in its shape, as leaves."""
        if not self._pixel_by_pixel(x):
            raise NotApplicable(
                "rule='composite' bounds each pixel, and the first convolution does not read the image pixel by pixel (the "
                "model pads, reorders, resizes or filters it before); use rule='gamma' or rule='epsilon_plus'"
            )
        low, high = self._leaf("low", self.low, x, -1), self._leaf("high", self.high, x, 1)
        if not ((low <= x) & (x <= high)).all():
            least, most = x.detach().aminmax()
            raise InputError(
                f"what the first convolution reads, from {float(least):.4g} to {float(most):.4g}, leaves the bounds low "
                "and high; give the range of the pixels as the model gets them, or None for each image's own"
            )
        pixels = self._leaf("pixels", x.detach(), x, 0)
        return pixels + 0 * x, low, high  # the input stays in the graph, and gets nothing by this way

    def _pixel_by_pixel(self, x: Tensor) -> bool:
        """Whether the Jacobian from the image is diagonal: then J v = (J 1) v for any v."""
        edge, shape = self.image
        if x.shape != shape:
            return False
        weights = torch.rand(shape, generator=generator("box")).to(x)
        grads = [torch.autograd.grad(x, edge, v, retain_graph=True)[0] for v in (weights, torch.ones_like(weights))]
        return torch.allclose(grads[0], grads[1] * weights, rtol=8 * torch.finfo(x.dtype).eps, atol=0)

    def _leaf(self, name: str, given: float | Tensor | None, x: Tensor, side: int) -> Tensor:
        if given is None:
            value = side * (side * x.detach()).flatten(1).amax(1).reshape(-1, *[1] * (x.dim() - 1))
        else:
            value = torch.as_tensor(given, dtype=x.dtype, device=x.device)
        try:
            leaf = value.detach().expand_as(x).clone().requires_grad_()
        except RuntimeError:
            raise InputError(
                f"{name} has shape {tuple(value.shape)}, which does not broadcast to {tuple(x.shape)}; give a number or "
                "(C, 1, 1)"
            ) from None
        self.places[name] = Tap(name, leaf.detach(), get_gradient_edge(leaf))
        return leaf
