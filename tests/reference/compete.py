"""CGI by a loop over classes, one plain gradient each, and the rule of algorithm 1 written out."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def winners(scores: Tensor, y: Tensor) -> Tensor:
    """Algorithm 1 for one sample, number by number: scores (classes, ...), y one class."""
    columns = scores.flatten(1).T.tolist()
    kept = []
    for column in columns:
        own = column[int(y)]
        beaten = any(own < s for s in column) if own > 0 else any(own > s for s in column)
        kept.append(0.0 if beaten or own == 0 else own)
    return torch.tensor(kept, dtype=scores.dtype).reshape(scores.shape[1:])


def single_gradients(model: nn.Module, x: Tensor) -> Tensor:
    """Gradient of every logit, one backward pass for each sample and class: (classes, B, ...)."""
    rows = []
    for c in range(model(x[:1]).shape[1]):
        row = []
        for sample in x:
            leaf = sample[None].clone().requires_grad_()
            model(leaf)[0, c].backward(inputs=[leaf])
            row.append(leaf.grad[0])
        rows.append(torch.stack(row))
    return torch.stack(rows)


def cgi(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    scores = single_gradients(model, x) * x
    return torch.stack([winners(scores[:, b], y) for b, y in enumerate(target)])
