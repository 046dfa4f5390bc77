"""The bare floor of the audit row: what its maps cost in plain PyTorch, float32, channels first, and nothing else.

Five methods are three computations. Gradient, gradient x input and FullGrad need one forward and one backward to the
input; guided backprop one of its own, since its ReLUs pass back other values; GradCAM one forward and a backward to its
layer, which takes the gradients of what lies above alone. They are due for every image under every network: the original,
each stage of one cascade, and each null network. A randomised network also takes one forward of the calibration images, for
its batch-norm statistics. Parameters are frozen, so that no gradient of a weight is computed. Drawing weights, metrics,
storage and the report are left out.

floor = (1 + stages + nulls) x images x (2 forward-backwards + 1 forward-backward to the layer)
        + (stages + nulls) x calibration images x 1 forward
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .timing import timed


@dataclass(frozen=True)
class Floor:
    """model: frozen, in evaluation mode. layer: GradCAM's. batch: images in one pass."""

    model: nn.Module
    guided: nn.Module
    layer: str
    batch: int

    def network(self, x: Tensor, t: Tensor) -> list[Tensor]:
        """The gradients that the maps of one network need, of all images; the last batch's are returned."""
        found: list[Tensor] = []
        for rows, classes in zip(x.split(self.batch), t.split(self.batch), strict=True):
            found = [_gradient(self.model, rows, classes), _gradient(self.guided, rows, classes)]
            found.append(self._at_layer(rows, classes))
        return found

    @torch.no_grad()
    def calibration(self, x: Tensor) -> None:
        for rows in x.split(self.batch):
            self.model(rows)

    def _at_layer(self, x: Tensor, t: Tensor) -> Tensor:
        held: list[Tensor] = []

        def cut(_: nn.Module, __: object, out: Tensor) -> Tensor:
            held.append(out.detach().requires_grad_())
            return held[0]

        handle = self.model.get_submodule(self.layer).register_forward_hook(cut)
        try:
            return _slope(_score(self.model(x), t), held[0])
        finally:
            handle.remove()


def fastest(model: nn.Module, layer: str, x: Tensor, t: Tensor) -> Floor:
    """The floor with batches of 8 or of 16, whichever is faster here."""

    def seconds(parts: Floor) -> float:
        return min(timed(lambda: parts.network(x, t))[1] for _ in range(2))

    return min((floor(model, layer, batch) for batch in (8, 16)), key=seconds)


def floor(model: nn.Module, layer: str, batch: int) -> Floor:
    guided = copy.deepcopy(model)
    for module in guided.modules():
        if isinstance(module, nn.ReLU):
            module.register_full_backward_hook(lambda _, grads, __: (grads[0].clamp(min=0),))  # type: ignore[index]
    return Floor(model, guided, layer, batch)


def whole(parts: Floor, x: Tensor, t: Tensor, calibration: Tensor, stages: int, nulls: int) -> list[Tensor]:
    """The whole floor; the weights of every network are the same, which changes no cost."""
    found = parts.network(x, t)
    for _ in range(stages + nulls):
        parts.calibration(calibration)
        parts.network(x, t)
    return found


def _gradient(model: nn.Module, x: Tensor, t: Tensor) -> Tensor:
    leaf = x.clone().requires_grad_()
    return _slope(_score(model(leaf), t), leaf)


def _slope(score: Tensor, at: Tensor) -> Tensor:
    (grad,) = torch.autograd.grad(score, at)
    return grad


def _score(out: Tensor, t: Tensor) -> Tensor:
    return out.gather(1, t[:, None]).sum()
