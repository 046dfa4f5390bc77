"""Small networks for the tests, built fresh in every test: the same weights, the ReLU in every spelling."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _ignored_return(x: Tensor) -> Tensor:
    x.relu_()
    return x


def _on_a_view(x: Tensor) -> Tensor:
    x.view(-1).relu_()
    return x


RELU_SPELLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "F.relu": F.relu,
    "F.relu in place": lambda x: F.relu(x, inplace=True),
    "torch.relu": torch.relu,
    "torch.relu_": torch.relu_,
    "x.relu()": lambda x: x.relu(),
    "x.relu_()": lambda x: x.relu_(),
    "x.relu_() ignored": _ignored_return,
    "x.relu_() on a view": _on_a_view,
    "clamp(min=0)": lambda x: x.clamp(min=0),
    "clamp_min": lambda x: x.clamp_min(0),
    "torch.clamp": lambda x: torch.clamp(x, 0),
    "clip": lambda x: torch.clip(x, min=0.0),
    "threshold": lambda x: F.threshold(x, 0.0, 0.0),
    "aten": lambda x: torch.ops.aten.relu.default(x),
    "module": nn.ReLU(),
    "module in place": nn.ReLU(inplace=True),
}


class Net(nn.Module):
    """Convolution, batch norm, a residual addition, pooling, two linear layers; one rectifier for all places."""

    def __init__(self, relu: Callable[[Tensor], Tensor] = F.relu, dtype: torch.dtype = torch.float64, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
            self.norm1 = nn.BatchNorm2d(4)
            self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
            self.fc1 = nn.Linear(4 * 4 * 4, 8)
            self.fc2 = nn.Linear(8, 5)
            for parameter in (*self.norm1.parameters(), self.norm1.running_mean):
                nn.init.normal_(parameter, 0.5)
        self.relu = F.relu
        self.double().eval()
        with torch.no_grad():  # centred logits, so that images differ in their predicted class
            self.fc2.bias -= Net.forward(self, fresh_input(16, seed=9)).mean(0)
        self.relu = relu
        self.to(dtype).eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm1(self.conv1(x)))
        y = self.conv2(x)
        y += x
        y = F.max_pool2d(self.relu(y), 2)
        return self.fc2(self.relu(self.fc1(y.flatten(1))))


class PerLayer(Net):
    """The same network with a module of its own for every ReLU."""

    def __init__(self, dtype: torch.dtype = torch.float64, seed: int = 0, inplace: bool = False):
        super().__init__(dtype=dtype, seed=seed)
        self.relus = nn.ModuleList(nn.ReLU(inplace) for _ in range(3)).eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.relus[0](self.norm1(self.conv1(x)))
        y = F.max_pool2d(self.relus[1](self.conv2(x) + x), 2)
        return self.fc2(self.relus[2](self.fc1(y.flatten(1))))


def fresh_input(batch: int = 3, seed: int = 1, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(batch, 2, 8, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def targets(batch: int = 3) -> Tensor:
    return torch.arange(batch) % 5
