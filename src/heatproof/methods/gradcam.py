"""GradCAM (Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..engine.call import check_image
from ..engine.passes import SPATIAL, forward
from ..errors import NotApplicable
from ..score import logit
from ..types import Score, method


@method(
    source="arXiv:1610.02391, equations 1 and 2",
    channels=False,
    signed=False,
    image=True,
    needs=frozenset({("plain", SPATIAL)}),
)
def gradcam(
    model: nn.Module, inputs: Tensor, target: Any = None, *, score: Score = logit, layer: str | None = None
) -> Tensor:
    """Activations of a late layer, weighted by the mean gradient of their channel. ``(B, C, H, W) -> (B, 1, H, W)``.

    Source: Selvaraju et al. 2017: alpha = mean over positions of dscore/dA (equation 1), map = ReLU(sum of alpha A)
    (equation 2); upsampled bilinearly, align_corners=False. Deviations: none.

    Args:
        model, inputs, target, score: as in `gradient`.
        layer: path of a module whose output has channels, height and width; None takes the last activation applied to
            such a tensor.

    Returns:
        Score units, not negative; all zero where the weighted sum is negative everywhere.

    Raises:
        NotApplicable: no layer with height and width.
    """
    check_image(inputs, "gradcam")
    place = SPATIAL if layer is None else f"layer:{layer}"
    run = forward(model, inputs, score, None, place)
    grad = run.gradients(score, run.target(score, target), place)[0]
    tap = run.tap(place)
    value = tap.value.movedim(tap.channel, 1)
    if value.dim() != 4:
        raise NotApplicable(
            f"layer={tap.name!r} gives {tuple(tap.value.shape)}; gradcam needs channels, height and width"
        )
    grad = grad.movedim(tap.channel - tap.value.dim(), -3)
    alpha = grad.mean((-2, -1), keepdim=True)  # eq. 1
    cam = (alpha * value).sum(-3, keepdim=True).relu()  # eq. 2
    lead = cam.shape[:-3]
    cam = interpolate(cam.flatten(0, -4), size=inputs.shape[2:], mode="bilinear", align_corners=False)
    return cam.reshape(*lead, *cam.shape[1:])
