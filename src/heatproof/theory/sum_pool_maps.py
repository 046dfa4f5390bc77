"""Figure 7 of Sanity Checks in closed form: the other maps of the one-layer network of `sum_pool`."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError
from .sum_pool import shifted, sum_pool_gradient


def sum_pool_integrated(images: Tensor, filters: Tensor, target: Tensor) -> Tensor:
    """Integrated gradients from 0 of l(x) = sum_ij ReLU((w * x)_ij): the input times the gradient.

    ``(B, C, H, W), (K, C, 3, 3), (B,) -> (B, C, H, W)``. Source: derived here: without a bias no ReLU changes its state
    between the baseline 0 and the image. Guided backprop is the gradient itself: all that it sees is positive.

    Example:
        >>> edge = torch.tensor([[[[0.0, 0.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]]])
        >>> sum_pool_integrated(torch.tensor([[[[0.0, 2.0, 3.0]]]]), edge, torch.tensor([0]))
        tensor([[[[-0., 0., 3.]]]])
    """
    return images * sum_pool_gradient(images, filters, target)


def sum_pool_smoothgrad(images: Tensor, filters: Tensor, target: Tensor, sigma: float = 0.15) -> Tensor:
    """Mean of the gradient of l(x) = sum_ij ReLU((w * x)_ij) under normal noise: SmoothGrad of endless draws.

    ``(B, C, H, W), (K, C, 3, 3), (B,) -> (B, C, H, W)``. Source: derived here: noise of standard deviation s makes place
    ij active with probability ``Phi((w * x)_ij / (s ||w||_ij))``, and the gradient is linear in the activations. The norm
    is that of the weights that lie on the image. Filters are applied as PyTorch's ``conv2d``.

    Args:
        images: in the network's units, not constant.
        filters: of odd size, applied with zero padding and no bias.
        target: the filter whose logit is explained, for each image.
        sigma: noise as a share of each image's (max - min), as in `smooth`.

    Raises:
        InputError: shapes that do not fit, or sigma not above 0.

    Example:
        >>> one = torch.tensor([[[[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]]])
        >>> sum_pool_smoothgrad(torch.tensor([[[[-1.0, 0.0, 1.0]]]]), one, torch.tensor([0]), sigma=0.5)
        tensor([[[[0.3173, 1.0000, 1.6827]]]])
    """
    sum_pool_gradient(images, filters, target)  # checks the shapes
    if not sigma > 0:
        raise InputError(f"sigma={sigma!r}; expected a number above 0")
    own = filters[target].to(images)
    size = (images.flatten(1).amax(1) - images.flatten(1).amin(1))[:, None, None, None] * sigma
    norm = shifted(torch.ones_like(images), own.square(), 1).sum(1, keepdim=True).sqrt()
    z = shifted(images, own, 1).sum(1, keepdim=True)
    active = torch.special.ndtr(z / (size * norm))
    return shifted(active, own, -1)
