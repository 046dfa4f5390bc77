"""Full gradients by other mechanisms: zero probes on modules, and the official FullGrad's module hooks."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYERS = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)


def effective_bias(module: Any) -> Tensor | None:
    """What the layer gives for an input of zeros, one value a channel."""
    if isinstance(module, nn.BatchNorm2d):
        width = module.num_features
        return module(torch.zeros(1, width, 1, 1, dtype=module.running_mean.dtype)).detach().flatten()
    return None if module.bias is None else module.bias.detach()


def probed(model: nn.Module, inputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor, list[tuple[str, Tensor]]]:
    """Logits, gradient x input, and gradient x bias of every CALL of a layer: a zero is added to each of its outputs, and
    the gradient is read at that zero, in the order of the calls."""
    probes: list[tuple[str, Any, Tensor]] = []

    def probe(name: str) -> Any:
        def hook(module: nn.Module, args: Any, out: Tensor) -> Tensor:
            zero = torch.zeros_like(out).requires_grad_()
            probes.append((name, module, zero))
            return out + zero

        return hook

    handles = [m.register_forward_hook(probe(n)) for n, m in model.named_modules() if isinstance(m, LAYERS)]
    x = inputs.clone().requires_grad_()
    try:
        logits = model(x).gather(1, target[:, None]).squeeze(1)
    finally:
        for handle in handles:
            handle.remove()
    grads = torch.autograd.grad(logits.sum(), [x, *(p for _, _, p in probes)])
    found = []
    for (name, module, _), grad in zip(probes, grads[1:], strict=True):
        bias = effective_bias(module)
        if bias is not None:
            shape = (-1,) if isinstance(module, nn.Linear) else (1, -1, *[1] * (grad.dim() - 2))
            found.append((name, grad * bias.reshape(shape)))
    return logits.detach(), grads[0] * inputs, found


def official(model: nn.Module, inputs: Tensor, target: Tensor, *, biases: bool = True) -> Tensor:
    """The map of the official code: biases by registration order, gradients by backward order, both reversed on each other;
    abs, min-max over a layer with 1e-6, bilinear with align_corners, summed."""
    gradients: list[Tensor] = []

    def hook(module: nn.Module, args: Any, out: Tensor) -> None:
        out.register_hook(gradients.append)

    layers = [m for m in model.modules() if isinstance(m, LAYERS) and m.bias is not None]
    handles = [m.register_forward_hook(hook) for m in layers]
    x = inputs.clone().requires_grad_()
    try:
        grad = torch.autograd.grad(-F.nll_loss(model(x), target, reduction="sum"), x)[0]
    finally:
        for handle in handles:
            handle.remove()
    cam = _processed(grad * inputs).sum(1, keepdim=True)
    for module, g in zip(layers, reversed(gradients), strict=True):
        if g.dim() == 4:
            bias = effective_bias(module) if biases else torch.ones(g.shape[1], dtype=g.dtype)
            part = _processed(g * bias.reshape(1, -1, 1, 1))
            cam = cam + F.interpolate(part, size=inputs.shape[2:], mode="bilinear", align_corners=True).sum(
                1, keepdim=True
            )
    return cam


def _processed(value: Tensor) -> Tensor:
    flat = value.abs().flatten(1)
    flat = flat - flat.amin(1, keepdim=True)
    return (flat / (flat.amax(1, keepdim=True) + 1e-6)).view_as(value)
