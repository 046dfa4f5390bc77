"""GradCAM (Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..engine.call import check_image
from ..engine.interpose import Tap
from ..engine.layout import on_grid
from ..engine.passes import SPATIAL, Pass, forward
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
    (equation 2); upsampled bilinearly, align_corners=False. Deviations: on a layer of tokens ``(B, N, D)`` the features
    are the channels and the image's tokens the positions; class and register tokens are left out.

    Args:
        model, inputs, target, score: as in `gradient`.
        layer: path of a module whose output has channels, height and width, in either order, or is tokens of an image
            ("blocks.11.norm1"); None takes the last activation applied to a value with height and width.

    Returns:
        Score units, not negative; all zero where the weighted sum is negative everywhere.

    Raises:
        NotApplicable: no layer with height and width; tokens that are no grid, or with the batch second.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4, 2, bias=False)).eval()
        >>> model[2].weight.data = torch.tensor([[1.0, 2.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
        >>> gradcam(model, torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), torch.tensor([0]))  # alpha = 2
        tensor([[[[2., 4.],
                  [6., 8.]]]])
    """
    check_image(inputs, "gradcam")
    place = SPATIAL if layer is None else f"layer:{layer}"
    run = forward(model, inputs, score, None, place)
    grad = run.gradients(score, run.target(score, target), place)[0]
    value, grad = _channels_first(run.tap(place), grad, run)
    alpha = grad.mean((-2, -1), keepdim=True)  # eq. 1
    cam = (alpha * value).sum(-3, keepdim=True).relu()  # eq. 2
    lead = cam.shape[:-3]
    cam = interpolate(cam.flatten(0, -4), size=inputs.shape[2:], mode="bilinear", align_corners=False)
    return cam.reshape(*lead, *cam.shape[1:])


def _channels_first(tap: Tap, grad: Tensor, run: Pass) -> tuple[Tensor, Tensor]:
    """The layer's value and its gradient as ``(..., B, C, H, W)``."""
    if tap.value.dim() == 4:
        return tap.value.movedim(tap.channel, 1), grad.movedim(tap.channel - 4, -3)
    if tap.value.dim() != 3:
        raise NotApplicable(
            f"layer={tap.name!r} gives {tuple(tap.value.shape)}; gradcam needs channels, height and width, or the tokens "
            "of an image (B, N, D)"
        )
    if tap.grid is None:
        sizes = ", ".join(f"{h}x{w}" for h, w in dict.fromkeys(run.sizes[:3])) or "none was seen"
        raise NotApplicable(
            f"layer={tap.name!r} gives {tuple(tap.value.shape)} for {len(run.leaf)} images; gradcam reads tokens as "
            f"(B, N, D), the batch first, with N the places of a feature map of this network ({sizes}) and a few more in "
            "front; give a layer where they are so, or one before the image was cut into tokens"
        )
    return on_grid(tap.value, tap.grid), on_grid(grad, tap.grid)
