"""The gradient of a one-layer network in closed form: at each pixel a sum over the activation pattern around it."""

from __future__ import annotations

from itertools import product
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError

SIGNS = {"correlation": 1, "convolution": -1}


def sum_pool_gradient(
    images: Tensor,
    filters: Tensor,
    target: Tensor,
    direction: Literal["correlation", "convolution"] = "correlation",
    at_zero: Literal[0, 1] = 0,
) -> Tensor:
    """Gradient of l(x) = sum_ij ReLU((w * x)_ij). ``(B, C, H, W), (K, C, 3, 3), (B,) -> (B, C, H, W)``.

    Source: Adebayo et al. 2018, arXiv:1810.03292, section 5.3 (unnumbered). Deviations: the printed a_{i+k,j+l} w_kl is
    the gradient for a true convolution; what PyTorch calls a convolution is a correlation and has a_{i-k,j-l} w_kl. The
    printed ReLU'(0) is 1 and PyTorch's is 0, which decides on black backgrounds. Exact at the border too: a is 0 outside.

    Args:
        images: in the network's units.
        filters: of odd size, applied with zero padding and no bias (`SumPoolConv().conv.weight`).
        target: the filter whose logit is explained, for each image.
        direction: "correlation" (PyTorch's ``conv2d``) or "convolution" (the paper's formula).
        at_zero: ReLU'(0): 0 as PyTorch, 1 as the paper.

    Returns:
        Logit per unit of the input, signed.

    Raises:
        InputError: shapes that do not fit, or an unknown option.

    Example:
        >>> edge = torch.tensor([[[[0.0, 0.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]]])
        >>> sum_pool_gradient(torch.tensor([[[[0.0, 0.0, 1.0, 1.0, 0.0]]]]), edge, torch.tensor([0]))
        tensor([[[[ 0., -1.,  1.,  0.,  0.]]]])
    """
    _check(images, filters, target, direction, at_zero)
    own = filters[target].to(images)
    sign = SIGNS[direction]
    z = shifted(images, own, sign).sum(1, keepdim=True)  # (w * x)_ij
    a = ((z > 0) if at_zero == 0 else (z >= 0)).to(images.dtype)  # a_ij = 1{(w * x)_ij >= 0}, section 5.3
    return shifted(a, own, -sign)  # dl/dx_ij = sum_kl a_{i+k,j+l} w_kl, section 5.3


def shifted(values: Tensor, own: Tensor, sign: int) -> Tensor:
    """sum_kl w_kl v_{i + sign k, j + sign l} for each channel, zero outside the image. ``-> (B, C, H, W)``."""
    height, width = values.shape[2:]
    rows, columns = own.shape[2] // 2, own.shape[3] // 2
    wide = F.pad(values, (columns, columns, rows, rows))
    total = torch.zeros(1, dtype=values.dtype, device=values.device)
    for k, l in product(range(-rows, rows + 1), range(-columns, columns + 1)):  # noqa: E741  (the paper's letters)
        i, j = rows + sign * k, columns + sign * l
        weight = own[:, :, rows + k, columns + l, None, None]
        total = total + weight * wide[:, :, i : i + height, j : j + width]
    return total


def _check(images: Tensor, filters: Tensor, target: Tensor, direction: str, at_zero: int) -> None:
    if direction not in SIGNS or at_zero not in (0, 1):
        raise InputError(
            f"sum_pool_gradient(direction={direction!r}, at_zero={at_zero!r}): expected 'correlation' (PyTorch's conv2d) "
            "or 'convolution', and 0 (PyTorch) or 1"
        )
    fitting = images.dim() == 4 == filters.dim() and images.shape[1] == filters.shape[1]
    odd = fitting and all(n % 2 for n in filters.shape[2:])
    if not odd or target.dtype != torch.int64 or target.shape != images.shape[:1]:
        raise InputError(
            f"sum_pool_gradient: images {tuple(images.shape)}, filters {tuple(filters.shape)}, target {target.dtype} "
            f"{tuple(target.shape)}; expected (B, C, H, W), (K, C, odd, odd) and int64 (B,)"
        )
    if bool(((target < 0) | (target >= len(filters))).any()):
        raise InputError(f"sum_pool_gradient: target {target.tolist()}; expected filters from 0 to {len(filters) - 1}")
