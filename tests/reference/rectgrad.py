"""RectGrad by another mechanism: listings 1 to 3 of the paper word for word, as hooks on the autograd nodes of an ordinary
forward, with NumPy's percentiles. Slow; one target a sample; sequential networks only for "mod"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d


def rectgrad(
    model: nn.Module,
    inputs: Tensor,
    target: Tensor,
    *,
    q: float = 98.0,
    tau: float | None = None,
    rule: str = "pr1",
    padding_trick: bool = False,
    prr: bool = False,
    percentile: str = "linear",
    final_threshold: bool = True,
) -> Tensor:
    """Attributions x * R, ``(B, ...)``. Rule "eps" is that of Claim 1: (a + 1e-6) R > 0."""
    x = inputs.clone().requires_grad_()
    score = model(x.clone()).gather(1, target[:, None]).sum()
    met: list[str] = []
    for node in nodes(score):
        name = node.name()
        if name in ("ReluBackward0", "HardtanhBackward0"):
            node.register_hook(_relu_grad(node, q, tau, rule, percentile, met))
        elif name == "ConvolutionBackward0" and padding_trick:
            node.register_prehook(_conv_grad(node))
        elif name == "MaxPool2DWithIndicesBackward0" and prr:
            node.register_hook(_max_pool_grad(node))
    attributions = inputs * torch.autograd.grad(score, x)[0]
    return torch.where(attributions > 0, attributions, 0.0) if final_threshold else attributions


def nodes(root: Tensor) -> Iterator[Any]:
    seen, stack = set(), [root.grad_fn]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        stack += [parent for parent, _ in node.next_functions]


def tf_percentile(v: np.ndarray, q: float) -> float:
    """tf.contrib.distributions.percentile, default interpolation."""
    d = len(v)
    return np.sort(v)[::-1][int(np.clip(np.round((d - 1) * (1 - q / 100)), 0, d - 1))]


def _relu_grad(node: Any, q: float, tau: float | None, rule: str, percentile: str, met: list[str]) -> Any:
    a = node._saved_result if node.name() == "ReluBackward0" else node._saved_self.clamp(0, 6)

    def hook(_: Any, grads: tuple[Tensor]) -> tuple[Tensor]:
        (grad,) = grads
        now = rule if rule != "mod" else ("pr2" if met else "pr1")
        met.append(now)
        activation_grad = {
            "pr1": a * grad, "pr2": (a * grad).abs(), "pr3": a, "pr4": grad, "eps": (a + 1e-6) * grad,
        }[now]  # fmt: skip
        passed = torch.zeros_like(grad)
        for i, row in enumerate(activation_grad):
            flat = row.numpy().ravel()
            found = tf_percentile(flat, q) if percentile == "nearest" else np.percentile(flat, q)
            thresh = found if tau is None else tau
            passed[i] = torch.where(thresh < row, grad[i], 0.0)
        return (passed,)

    return hook


def _conv_grad(node: Any) -> Any:
    same = any(node._saved_padding) and node._saved_weight[0, 0].numel() > 1

    def hook(grads: tuple[Tensor]) -> tuple[Tensor]:
        (grad,) = grads
        if not same:
            return grads
        mask = torch.ones(*grad.shape[:2], grad.shape[2] - 2, grad.shape[3] - 2, dtype=grad.dtype)
        return (grad * torch.nn.functional.pad(mask, (1, 1, 1, 1)),)

    return hook


def _max_pool_grad(node: Any) -> Any:
    a = node._saved_self

    def average(x: Tensor) -> Tensor:
        return avg_pool2d(
            x, node._saved_kernel_size, node._saved_stride, node._saved_padding, node._saved_ceil_mode,
            count_include_pad=False,
        )  # fmt: skip

    def hook(_: Any, grads: tuple[Tensor]) -> tuple[Tensor]:
        z, pull = torch.func.vjp(average, a)
        s = grads[0] / (z + 1e-10)
        return (a * pull(s)[0],)

    return hook
