"""Memory: nothing is kept from call to call, and methods that expand the batch stay within their chunk."""

from __future__ import annotations

import gc
import weakref
from inspect import signature
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.combine import with_effort
from nets import Net, fresh_input, targets

METHODS = pytest.mark.parametrize("explain", hp.METHODS.values(), ids=hp.METHODS)


def live_tensors() -> int:
    """Tensors that Python still holds."""
    gc.collect()
    return sum(issubclass(type(thing), Tensor) for thing in gc.get_objects())


@METHODS
def test_flat_over_50_calls(explain: Any) -> None:
    cheap, model, x = with_effort(explain, 2), Net(), fresh_input()
    for _ in range(5):
        cheap(model, x, targets())
    after_5 = live_tensors()
    for _ in range(45):
        cheap(model, x, targets())
    assert live_tensors() == after_5


@METHODS
def test_keeps_neither_model_nor_input(explain: Any) -> None:
    model, x, target = Net(nn.ReLU()), fresh_input(), targets()
    kept = [weakref.ref(thing) for thing in (model, x, target, *model.parameters(), *model.modules())]
    maps = with_effort(explain, 2)(model, x, target)
    del model, x, target
    gc.collect()
    assert [type(ref()).__name__ for ref in kept if ref() is not None] == []
    assert maps.grad_fn is None


@METHODS
def test_keeps_no_model_after_an_error(explain: Any) -> None:
    model = Net(nn.ReLU())
    kept = weakref.ref(model)
    with pytest.raises(hp.InputError):
        explain(model, fresh_input(), targets().float())
    del model
    gc.collect()
    assert kept() is None


@METHODS
def test_the_map_is_no_window_on_something_larger(explain: Any) -> None:
    """A view would keep the whole of what it looks at."""
    maps = with_effort(explain, 2)(Net(), fresh_input(), targets())
    assert maps.untyped_storage().nbytes() <= 2 * maps.numel() * maps.element_size()


class Counting(Net):
    """Keeps the rows of each forward in a list outside the model, since only a copy of it ever runs."""

    seen: ClassVar[list[int]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        return super().forward(x)


def takes(explain: Any, option: str) -> bool:
    return option in signature(explain).parameters if not isinstance(explain, hp.combine.Composed) else False


EXPANDING = {name: explain for name, explain in hp.METHODS.items() if takes(explain, "batch_size")}


@pytest.mark.parametrize("batch", [1, 3, 6])
@pytest.mark.parametrize("name", EXPANDING)
def test_no_pass_is_larger_than_its_chunk(name: str, batch: int) -> None:
    Counting.seen.clear()
    rows = torch.stack([targets(batch), (targets(batch) + 1) % 5])
    for target in (rows, None):
        with_effort(EXPANDING[name], 7)(Counting(), fresh_input(batch), target, batch_size=4)
    assert max(Counting.seen) <= 4
    assert max(Counting.seen) > 1, "a chunk is filled"


@METHODS
def test_no_pass_is_larger_than_the_default_chunk(explain: Any) -> None:
    """Combinators call their method once a draw; whatever expands the batch, the rows of a pass are bounded."""
    Counting.seen.clear()
    with_effort(explain, 40)(Counting(), fresh_input(2), targets(2))
    assert max(Counting.seen, default=0) <= 16
