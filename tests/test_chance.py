"""Models that say something else each time are refused, and named what does it; draws that change nothing are not."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import heatproof as hp
from heatproof.bench import bench
from heatproof.explain import explain
from nets import Net, PerLayer, fresh_input, targets
from test_audit import audited_model

METHODS = (
    "gradient",
    "guided_backprop",
    "fullgrad",
    "gradcam",
    "lrp",
    "smoothgrad",
    "integrated_gradients",
    "occlusion",
)


class Dropping(PerLayer):
    """Dropout that nobody turns off."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.dropout(x, 0.5, training=True))


class Idle(Net):
    """Draws random numbers of which nothing is seen."""

    def forward(self, x: Tensor) -> Tensor:
        torch.rand(3)
        return super().forward(x)


class Counts(Net):
    def __init__(self) -> None:
        super().__init__(dtype=torch.float32)
        self.calls = [0]

    def forward(self, x: Tensor) -> Tensor:
        self.calls[0] += 1
        return super().forward(x) * (1 + self.calls[0])

    def __deepcopy__(self, memo: Any) -> Counts:
        copy = Counts()
        copy.calls = self.calls
        return copy


@pytest.mark.parametrize("method", METHODS)
def test_dropout_that_is_always_on_is_named(method: str) -> None:
    with pytest.raises(hp.ModelError, match=r"says something else each time.*(bernoulli|dropout)"):
        getattr(hp, method)(Dropping(), fresh_input(), targets())


def test_draws_of_which_nothing_is_seen_are_no_error() -> None:
    x = fresh_input()
    assert torch.equal(hp.gradient(Idle(), x, targets()), hp.gradient(Net(), x, targets()))


def test_an_audit_refuses_a_model_that_cannot_be_repeated(tmp_path: Path) -> None:
    with pytest.raises(hp.ModelError, match="counts its calls"):
        audited_model(Counts(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


class DrawsNumpy(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.from_numpy(np.random.randn(5)).to(x)  # noqa: NPY002


class DrawsPython(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + random.random()


class CountsInABuffer(Net):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.register_buffer("calls", torch.zeros((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x) * (1 + self.calls.to(x))


class CountsInAnAttribute(Net):
    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x) * (1 + self.calls)


UNREPEATABLE = (Dropping, DrawsNumpy, DrawsPython, CountsInABuffer, CountsInAnAttribute)


@pytest.mark.parametrize("network", UNREPEATABLE)
def test_audit_explain_and_bench_refuse_it_and_write_nothing(network: type[Net], tmp_path: Path) -> None:
    x, folder = fresh_input(5, dtype=torch.float32), tmp_path / "run"
    said = "something else each time" if network is Dropping else "two runs on the same images"
    with pytest.raises(hp.ModelError, match=said):
        audited_model(network(dtype=torch.float32), folder)
    with pytest.raises(hp.ModelError, match=said):
        explain(network(dtype=torch.float32), x, None, ("gradient",), out=folder, chunk=2)
    for kind in ("pixel", "noise"):
        with pytest.raises(hp.ModelError, match=said):
            bench(kind, network(dtype=torch.float32), x, None, ("gradient",), out=folder, chunk=2)
    assert list(tmp_path.iterdir()) == []


def test_another_thread_that_draws_is_no_error() -> None:
    """The global generator moves while a model runs that draws nothing."""
    stop = threading.Event()

    class Waits(Net):
        def forward(self, x: Tensor) -> Tensor:
            drew.clear()
            drew.wait(5)
            return super().forward(x)

    drew = threading.Event()

    def draw() -> None:
        while not stop.is_set():
            torch.rand(1)
            drew.set()

    model, plain, x = Waits(), Net(), fresh_input()  # built by the global generator
    thread = threading.Thread(target=draw)
    thread.start()
    try:
        found = hp.gradient(model, x, targets())
    finally:
        stop.set()
        thread.join()
    assert torch.equal(found, hp.gradient(plain, x, targets()))
