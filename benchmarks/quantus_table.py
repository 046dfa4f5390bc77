"""The audit's table as users of Quantus and captum make it: one run of MPRT for every method and every metric.

Quantus 0.6 has Spearman, signed and absolute, and SSIM, which it takes of flattened maps; HOG it has not. Its SSIM returns
a list, over which MPRT stumbles, so that a user wraps it. FullGrad, which captum has not, is the
authors' code, re-implemented.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .official_fullgrad import OfficialFullGrad

Scores = Mapping[str, list[float]]
Explain = Callable[..., NDArray[Any]]

METRICS: dict[str, dict[str, Any]] = {
    "spearman": {"abs": False},
    "spearman_abs": {"abs": True},
    "ssim": {"abs": False},
}


def stages(model: nn.Module) -> list[str]:
    """The modules that MPRT randomises, nearest to the input first: all with `reset_parameters`, as registered."""
    return [name for name, module in model.named_modules() if hasattr(module, "reset_parameters")]


def mprt(model: nn.Module, x: Tensor, t: Tensor, method: str, metric: str, batch: int) -> Scores:
    """One run: the original and every stage of a cascade from the logits down, with a score for each image."""
    import quantus

    options = METRICS[metric]
    if metric == "ssim":
        options = {**options, "similarity_func": lambda a, b, batched: np.array(quantus.ssim(a, b, batched=batched))}
    run = quantus.MPRT(layer_order="top_down", disable_warnings=True, **options)  # type: ignore[attr-defined]
    return run(  # type: ignore[no-any-return]
        model=model, x_batch=x.cpu().numpy(), y_batch=t.cpu().numpy(), explain_func=METHODS[method], batch_size=batch,
        device=x.device,
    )  # fmt: skip


def _captum(maps: Callable[[nn.Module, Tensor, Tensor], Tensor]) -> Explain:
    """What Quantus calls: arrays in, one value a pixel out, as its own wrapper of captum sums channels."""

    def explain(model: nn.Module, inputs: NDArray[Any], targets: NDArray[Any], **_: Any) -> NDArray[Any]:
        device = next(model.parameters()).device
        x, t = (torch.as_tensor(values).to(device) for values in (inputs, targets))
        found = maps(model, x, t).detach().sum(1, keepdim=True)
        return found.cpu().numpy()

    return explain


def _attribute(name: str, **options: Any) -> Explain:
    def maps(model: nn.Module, x: Tensor, t: Tensor) -> Tensor:
        from captum import attr

        return getattr(attr, name)(model).attribute(x, target=t, **options)  # type: ignore[no-any-return]

    return _captum(maps)


def _gradcam(model: nn.Module, x: Tensor, t: Tensor) -> Tensor:
    from captum.attr import LayerAttribution, LayerGradCam

    coarse = LayerGradCam(model, model.get_submodule("layer4")).attribute(x, target=t, relu_attributions=True)
    return LayerAttribution.interpolate(coarse, tuple(x.shape[2:]), "bilinear")  # type: ignore[no-any-return]


def _fullgrad(model: nn.Module, x: Tensor, t: Tensor) -> Tensor:
    """Its biases are read when it is built, so that every stage needs a new one; its hooks stay unless taken off."""
    official = OfficialFullGrad(model)
    try:
        return official(x, t)
    finally:
        official.remove()


METHODS: dict[str, Explain] = {
    "gradient": _attribute("Saliency", abs=False),
    "gradient_x_input": _attribute("InputXGradient"),
    "guided_backprop": _attribute("GuidedBackprop"),
    "gradcam": _captum(_gradcam),
    "fullgrad": _captum(_fullgrad),
}
