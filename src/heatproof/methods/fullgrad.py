"""FullGrad (Srinivas and Fleuret 2019, arXiv:1905.00780, equation 2)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..engine.call import check_image
from ..engine.passes import TERMS
from ..full_gradient import full_gradient_map
from ..psi import Psi
from ..score import logit
from ..types import Score, method


@method(
    source="arXiv:1905.00780, equation 2",
    channels=False,
    signed=False,
    image=True,
    needs=frozenset({("plain", TERMS)}),
)
def fullgrad(
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    rescale: str = "layer",
    values: str = "abs",
    align_corners: bool = False,
    merge_bn: bool = False,
    official: bool = False,
) -> Tensor:
    """Gradient times input plus the bias-gradients of every layer, each rescaled. ``(B, C, H, W) -> (B, 1, H, W)``.

    Source: Srinivas and Fleuret 2019, equation 2: psi(df/dx * x) + sum over layers and channels of psi(f^b), psi =
    upsample(rescale(|.|)). Deviations: the implicit biases of every operation take part (`full_gradient`), where the paper
    has those of batch norm; shares without places in the image (linear heads, class tokens, attention windows, a
    branch that sees the image flipped) are left out, as the paper leaves out fully connected layers; `full_gradient` has
    them, with ``on_grid()`` None.

    Args:
        model, inputs, target, score: as in `gradient`.
        rescale: "layer" (both official codes), "channel" (equation 2 as printed), "none".
        values: "abs"; "signed" (with rescale="none" the paper's minimal psi_m), "positive", "negative".
        align_corners: of the upsampling. merge_bn: one share for a convolution and the batch norm after it (first code).
        official: the current official code: convolutions and batch norms only, align_corners=True, eps 1e-6.

    Returns:
        Sum of rescaled shares, not negative, unless values="signed"; with rescale="none" in score units.

    Raises:
        InputError: unknown option. EscapedOp, ModelError: as `full_gradient`.

    Example:
        >>> import torch
        >>> conv = nn.Conv2d(1, 1, 1).eval()
        >>> conv.weight.data.fill_(2.0), conv.bias.data.fill_(1.0)  # doctest: +ELLIPSIS
        (...)
        >>> net = nn.Sequential(conv, nn.Flatten()).eval()
        >>> fullgrad(net, torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([1])).flatten()
        tensor([0., 2.])
    """
    check_image(inputs, "fullgrad")
    psi = Psi(values, rescale, align_corners or official, 1e-6 if official else 0.0)
    return full_gradient_map(model, inputs, target, score, psi, merge_bn=merge_bn, only_layers=official)
