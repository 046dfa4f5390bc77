"""Closed forms of the FullGrad paper against autograd and numerical integrals."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from heatproof.errors import InputError
from heatproof.theory.hidden_unit import hidden_unit
from heatproof.theory.implicit_bias import FORMULAS, implicit_bias
from heatproof.theory.two_pieces import two_pieces, two_pieces_attribution


@pytest.mark.parametrize("x", [-3.0, -0.4, 0.0, 0.7, 2.0])
@pytest.mark.parametrize("unit", [(2.0, 1.0, 3.0, -1.0), (-1.0, 1.0, -1.0, 1.0), (0.5, -0.2, -2.0, 4.0)])
def test_hidden_unit_is_what_autograd_finds(x: float, unit: tuple[float, float, float, float]) -> None:
    leaves = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (x, *unit)]
    at, w0, b0, w1, b1 = leaves
    out = w1 * torch.relu(w0 * at + b0) + b1
    grads = torch.autograd.grad(out, [at, b0, b1])
    found = hidden_unit(x, *unit)
    expected = [out, grads[0], grads[1] * b0, grads[2] * b1]
    assert list(found) == pytest.approx([float(v.detach()) for v in expected], abs=1e-12)
    assert found.output == pytest.approx(found.gradient * x + found.share_b0 + found.share_b1)


@pytest.mark.parametrize("t", [0.3, 1.0, 1.2, 1.5, 2.0, 4.0])
def test_two_pieces_attribution_is_the_integral_along_the_path(t: float) -> None:
    steps = 20_000
    points = ((torch.arange(steps, dtype=torch.float64) + 0.5) / steps * t)[:, None].repeat(1, 2).requires_grad_()
    mean = torch.autograd.grad(two_pieces(points).sum(), points)[0].mean(0)
    found = two_pieces_attribution(t)
    assert list(found) == pytest.approx((mean * t).tolist(), abs=2 * t / steps)
    assert sum(found) == pytest.approx(float(two_pieces(torch.tensor([[t, t]]))))


def test_two_pieces_off_the_diagonal_is_zero() -> None:
    assert two_pieces(torch.tensor([[0.5, 2.0], [2.0, 1.0], [1.0, 1.0]])).tolist() == [0.0, 0.0, 4.0]


@pytest.mark.parametrize("name", FORMULAS)
def test_implicit_bias_is_what_the_derivative_leaves(name: str) -> None:
    z = torch.linspace(-9, 9, 400, dtype=torch.float64).requires_grad_()
    y = getattr(nn, name)()(z)
    slope = torch.autograd.grad(y.sum(), z)[0]
    assert torch.allclose(implicit_bias(name, z.detach()), (y - slope * z).detach(), atol=1e-12)


def test_what_the_formulas_do_not_take() -> None:
    with pytest.raises(InputError, match="Swish"):
        implicit_bias("Swish", torch.zeros(1))
    with pytest.raises(InputError, match="shape"):
        two_pieces(torch.zeros(2))
    with pytest.raises(InputError, match="at least 0"):
        two_pieces_attribution(-1.0)
