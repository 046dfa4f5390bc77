"""What competition keeps under random gradients (section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...theory.nulls import survival
from ...types import Explain
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number

CLASSES = (2, 3, 10, 100, 1000)
DRAWS = {2: 200, 3: 200, 10: 200, 100: 60, 1000: 20}
PIXELS = 784


def random_gradients(lab: Lab) -> Measured:
    """Share of pixels that survive where the gradients of all logits are independent, by the number of logits."""
    cgi, numbers = lab.method("cgi"), {}
    for k in CLASSES:
        shares = [_share(cgi, k, draw) for draw in range(DRAWS[k] * lab.pick(1, 1, 10))]
        numbers[f"{k}"] = over(torch.stack(shares))
        numbers[f"expected/{k}"] = Number(survival(k))
    return Measured(numbers)


def _share(cgi: Explain, k: int, draw: int) -> Tensor:
    """Of one linear network with random weights, which are its gradients; class 0 is explained."""
    noise = torch.Generator().manual_seed(1000 * k + draw)
    linear = nn.Linear(PIXELS, k, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.randn(k, PIXELS, generator=noise))
    x = torch.rand(1, 1, 28, 28, generator=noise) + 0.1
    return (cgi(nn.Sequential(nn.Flatten(), linear).eval(), x, torch.tensor([0])) != 0).double().mean()
