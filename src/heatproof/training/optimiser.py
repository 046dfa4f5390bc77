"""Optimizers, parameter groups and learning rates."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import nn

Rates = torch.optim.lr_scheduler.LRScheduler

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": lambda groups, lr: torch.optim.SGD(groups, lr=lr, momentum=0.9),
}


def groups(model: nn.Module, weight_decay: float, decayed: Collection[str]) -> list[dict[str, Any]]:
    """Parameter groups with and without decay, of what requires a gradient."""
    parameters = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    return [
        {"params": [p for name, p in parameters if name in decayed], "weight_decay": weight_decay},
        {"params": [p for name, p in parameters if name not in decayed], "weight_decay": 0.0},
    ]


def rates(optimizer: torch.optim.Optimizer, schedule: str | None, lr: float, total: int) -> Rates:
    """The learning rate of each of `total` steps."""
    if schedule is None or total < 4:  # a cycle needs a way up and a way down
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=total)
