"""GradCAM by the hooks of a module's forward and backward, with the sums of the paper written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate


def gradcam(
    model: nn.Module,
    inputs: Tensor,
    target: Tensor,
    module: nn.Module,
    planes: Callable[[Tensor], Tensor] = lambda value: value,
) -> Tensor:
    """`planes` brings what the module gives to (B, C, H, W)."""
    seen: dict[str, Any] = {}
    hooks = [
        module.register_forward_hook(lambda _m, _a, out: seen.update(value=out.detach().clone())),
        module.register_full_backward_hook(lambda _m, _i, out: seen.update(grad=out[0].detach().clone())),
    ]
    try:
        out = model(inputs.clone().requires_grad_())
        sum(out[n, t] for n, t in enumerate(target)).backward()
    finally:
        for hook in hooks:
            hook.remove()
    value, grad = planes(seen["value"]), planes(seen["grad"])
    cams = []
    for a, g in zip(value, grad, strict=True):
        z = a[0].numel()
        alpha = [float(plane.sum()) / z for plane in g]
        cams.append(sum(w * plane for w, plane in zip(alpha, a, strict=True)).clamp(min=0))
    return interpolate(torch.stack(cams)[:, None], size=inputs.shape[2:], mode="bilinear", align_corners=False)
