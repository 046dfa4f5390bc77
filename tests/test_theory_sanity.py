"""Closed forms of Sanity Checks, section 5.3, beside independent computations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.models.nets.sum_pool import SumPoolConv
from heatproof.named import method_from_text
from heatproof.theory.linear import KINDS, linear_map
from heatproof.theory.sum_pool_maps import sum_pool_integrated, sum_pool_smoothgrad


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def one_filter(w: Tensor) -> nn.Module:
    network = SumPoolConv(2).double()
    network.conv.weight.data = torch.cat([w, -w])
    return network.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_linear_map_is_what_autograd_says(kind: str) -> None:
    w, x, y = normal(3, 20), normal(2, 1, 4, 5, seed=1), torch.tensor([2, 0])
    baseline = 0.5 if kind == "integrated_gradients" else 0.0
    found = linear_map(kind, w, x, y, baseline)
    noisy = [x + normal(2, 1, 4, 5, seed=s) for s in range(3)]
    grads = []
    for point in (x, *noisy):
        leaf = point.clone().requires_grad_()
        score = (leaf.flatten(1) @ w.T).gather(1, y[:, None]).sum()
        grads.append(torch.autograd.grad(score, leaf)[0])
    expected = {
        "gradient": grads[0], "smoothgrad": torch.stack(grads).mean(0), "vargrad": torch.stack(grads).var(0, correction=0),
        "gradient_x_input": x * grads[0], "integrated_gradients": (x - 0.5) * grads[0],
    }  # fmt: skip
    torch.testing.assert_close(found, expected[kind], rtol=0, atol=1e-12)


def test_integrated_gradients_of_a_linear_model_are_complete() -> None:
    w, x, y = normal(1, 12), normal(4, 1, 3, 4, seed=1), torch.zeros(4, dtype=torch.int64)
    found = linear_map("integrated_gradients", w, x, y, baseline=0.3)
    change = ((x - 0.3).flatten(1) @ w.T)[:, 0]
    torch.testing.assert_close(found.flatten(1).sum(1), change)


def test_linear_map_refuses_what_does_not_fit() -> None:
    y = torch.tensor([0])
    with pytest.raises(InputError, match="kind='lime'"):
        linear_map("lime", normal(1, 4), normal(1, 1, 2, 2), y)
    with pytest.raises(InputError, match="weights"):
        linear_map("gradient", normal(1, 5), normal(1, 1, 2, 2), y)


def test_smoothgrad_of_endless_draws_is_the_mean_of_many() -> None:
    w, x, y = normal(1, 1, 3, 3, seed=5), normal(2, 1, 7, 6, seed=6).sigmoid(), torch.zeros(2, dtype=torch.int64)
    draws, size = 20_000, (x.flatten(1).amax(1) - x.flatten(1).amin(1))[:, None, None, None]
    for sigma, right in ((0.15, True), (0.3, False)):
        total = torch.zeros_like(x)
        for i in range(2):
            leaf = (x[i : i + 1] + 0.15 * size[i] * normal(draws, 1, 7, 6, seed=9 + i)).requires_grad_()
            one_filter(w)(leaf)[:, 0].sum().backward()
            assert leaf.grad is not None
            total[i] = leaf.grad.mean(0)
        # an activation has a standard deviation of at most .5, and a pixel sums nine of them, weighted
        near = float((sum_pool_smoothgrad(x, w, y, sigma) - total).abs().max()) < 2 * float(w.abs().sum()) / draws**0.5
        assert near is right


def test_smoothgrad_at_the_border_takes_the_norm_of_the_weights_on_the_image() -> None:
    w = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    w[0, 0, 1] = torch.tensor([3.0, 4.0, 0.0])
    x = torch.tensor([[[[1.0, 0.0]]]], dtype=torch.float64)
    found = sum_pool_smoothgrad(x, w, torch.tensor([0]), 1.0)
    first, second = (torch.special.ndtr(torch.tensor(z, dtype=torch.float64)) for z in (4 / 4, 3 / 5))
    torch.testing.assert_close(found, torch.stack([4 * first + 3 * second, 4 * second]).view(1, 1, 1, 2))


def test_smoothgrad_needs_noise() -> None:
    with pytest.raises(InputError, match="sigma"):
        sum_pool_smoothgrad(normal(1, 1, 4, 4), normal(1, 1, 3, 3), torch.tensor([0]), 0.0)


def test_integrated_gradients_are_the_method() -> None:
    w, x, y = normal(1, 1, 3, 3, seed=7), normal(3, 1, 6, 6, seed=8), torch.zeros(3, dtype=torch.int64)
    found = method_from_text("integrated_gradients(steps=3)")(one_filter(w), x, y)
    torch.testing.assert_close(sum_pool_integrated(x, w, y), found, rtol=1e-9, atol=1e-12)
