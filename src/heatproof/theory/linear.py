"""Saliency maps of a linear model in closed form: what each method says where the true answer is known."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError

KINDS = ("gradient", "smoothgrad", "vargrad", "gradient_x_input", "integrated_gradients")


def linear_map(kind: str, weights: Tensor, images: Tensor, target: Tensor, baseline: float = 0.0) -> Tensor:
    """Map of S_k(x) = w_k x + b_k. ``(K, C H W), (B, C, H, W), (B,) -> (B, C, H, W)``.

    Source: Adebayo et al. 2018, arXiv:1810.03292, section 5.3. Deviation: it prints ``(x - baseline) w / 2`` for integrated
    gradients, with ``w alpha`` under the integral; the gradient on the way is w, and w / 2 would not be complete.

    Args:
        kind: one of `KINDS`: w; its mean and its variance under any noise (w and 0); and times the input.
        weights: one row for each class.
        images: only their shape counts for the first three.
        target: the class that is explained, for each image.
        baseline: of integrated gradients.

    Returns:
        Signed values in the units of the method of that name.

    Raises:
        InputError: an unknown kind, or shapes that do not fit.

    Example:
        >>> x = torch.tensor([[[[3.0, 1.0]]]])
        >>> linear_map("integrated_gradients", torch.tensor([[2.0, -1.0]]), x, torch.tensor([0]), baseline=1.0)
        tensor([[[[4., -0.]]]])
    """
    if kind not in KINDS:
        raise InputError(f"linear_map(kind={kind!r}); expected one of {', '.join(KINDS)}")
    if images.dim() != 4 or weights.dim() != 2 or weights.shape[1] != images[0].numel() or len(target) != len(images):
        raise InputError(
            f"linear_map: weights {tuple(weights.shape)}, images {tuple(images.shape)}, target {tuple(target.shape)}; "
            "expected (K, C H W), (B, C, H, W), (B,)"
        )
    w = weights[target].reshape(images.shape)
    if kind == "vargrad":
        return torch.zeros_like(w)
    if kind == "gradient_x_input":
        return images * w
    return (images - baseline) * w if kind == "integrated_gradients" else w.clone()  # section 5.3
