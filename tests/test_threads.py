"""Threads: one explains while others use the same model; nothing changes for either."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

import heatproof as hp
from nets import PerLayer, fresh_input, targets

METHODS = (
    "gradient", "guided_backprop", "rectgrad", "lrp", "deeplift", "fullgrad", "gradcam", "cgi", "smoothgrad", "occlusion",
)  # fmt: skip
ROUNDS = 5


def maps(model: PerLayer, method: str, x: Tensor) -> Tensor:
    return getattr(hp, method)(model, x, targets())  # type: ignore[no-any-return]


def together(*calls: Callable[[], None]) -> None:
    """Each in a thread of its own, all at once; raises what one of them raised."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], None]) -> None:
        start.wait()
        call()

    with ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(run, call) for call in calls]:
            done.result()


def test_explaining_while_the_model_is_used_changes_nothing_for_either() -> None:
    model, x = PerLayer(), fresh_input()
    with torch.no_grad():
        said = model(x)
    alone = {method: maps(model, method, x) for method in METHODS}

    def uses() -> None:
        for _ in range(200):
            with torch.no_grad():
                assert torch.equal(model(x), said)
            leaf = x.clone().requires_grad_()
            model(leaf).sum().backward()

    def explains() -> None:
        for _ in range(ROUNDS):
            for method in METHODS:
                assert torch.equal(maps(model, method, x), alone[method]), method

    together(uses, explains, uses)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("pair", [("guided_backprop", "gradient"), ("lrp", "deeplift"), ("fullgrad", "rectgrad")])
def test_two_methods_on_one_model_at_once(pair: tuple[str, str]) -> None:
    """Rules of one thread must not reach the passes of another."""
    model, x = PerLayer(), fresh_input()
    alone = [maps(model, method, x) for method in pair]

    def explains(i: int) -> Callable[[], None]:
        def run() -> None:
            for _ in range(4 * ROUNDS):
                assert torch.equal(maps(model, pair[i], x), alone[i])

        return run

    together(explains(0), explains(1))
