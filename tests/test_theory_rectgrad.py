"""The written-out RectGrad of fully connected networks, beside autograd hooks, NumPy and one unit at a time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from tests.reference.rectgrad import rectgrad as reference
from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.theory.rectgrad import RULES, activations, influence, passing, rectified, switched_off

Layers = list[tuple[Tensor, Tensor]]


def network(seed: int = 0) -> tuple[nn.Sequential, Layers, Tensor, Tensor]:
    noise = torch.Generator().manual_seed(seed)
    sizes = (6, 20, 15, 10, 3)
    layers = [
        (torch.randn(b, a, generator=noise).double() / a**0.5, torch.randn(b, generator=noise).double() / 4)
        for a, b in pairwise(sizes)
    ]
    modules: list[nn.Module] = []
    for weight, bias in layers:
        linear = nn.Linear(weight.shape[1], weight.shape[0]).double()
        linear.weight.data, linear.bias.data = weight, bias
        modules += [linear, nn.ReLU()]
    model = nn.Sequential(*modules[:-1]).eval()
    x = torch.randn(4, 6, generator=noise).double()
    return model, layers, x, torch.tensor([0, 1, 2, 0])


@pytest.mark.parametrize("rule", [*RULES, "mod"])
@pytest.mark.parametrize("q", [0, 30, 74, 95])
def test_the_backward_pass_is_that_of_the_listings(rule: str, q: float) -> None:
    model, layers, x, target = network()
    first = rectified(layers, x, target, q, rule)[0]
    maps = x * (first.gradient * first.passes @ layers[0][0])
    expected = reference(model, x, target, q=q, rule=rule, final_threshold=False)
    assert torch.allclose(maps, expected, atol=1e-12)
    assert expected.any()


@pytest.mark.parametrize("q", [0, 50, 74, 98, 100])
def test_units_pass_over_the_percentile_of_numpy(q: float) -> None:
    a, r = np.random.default_rng(0).normal(size=(2, 3, 40))
    found = passing(torch.from_numpy(a).relu(), torch.from_numpy(r), q)
    scores = np.maximum(a, 0) * r
    assert (found.numpy() == (scores > np.percentile(scores, q, axis=1, keepdims=True))).all()


def test_activations_and_logits_are_those_of_the_network() -> None:
    model, layers, x, _ = network()
    assert torch.allclose(activations(layers, x)[-1], model(x))
    assert torch.allclose(activations(layers, x)[1], model[:4](x))


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_influence_is_switching_off_one_unit_after_the_other(depth: int) -> None:
    _, layers, x, target = network(1)
    units = activations(layers, x)[depth]
    found = influence(layers, units, depth, target)
    for unit in range(units.shape[1]):
        off = torch.zeros_like(units, dtype=torch.bool)
        off[:, unit] = True
        assert torch.allclose(found[:, unit], switched_off(layers, units, depth, off, target), atol=1e-12)
    assert (found[units == 0] == 0).all()
    assert found.any()


def test_what_switching_off_does_is_what_the_network_says() -> None:
    model, layers, x, target = network(2)
    units = activations(layers, x)[0]
    off = units > units.median()
    after = model[2:](units.masked_fill(off, 0))
    expected = (model(x) - after).gather(1, target[:, None])[:, 0]
    assert torch.allclose(switched_off(layers, units, 0, off, target), expected)


def test_errors_say_what_was_expected() -> None:
    a = torch.ones(1, 3)
    with pytest.raises(InputError, match="pr1"):
        passing(a, a, 50, "pr9")
    with pytest.raises(InputError, match="0 to 100"):
        passing(a, a, 101)
    with pytest.raises(InputError, match="two or more"):
        rectified([(a, a[0])], a, torch.tensor([0]), 50)
