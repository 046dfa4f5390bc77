"""A network of one hidden unit, f(x) = w1 ReLU(w0 x + b0) + b1, and its full gradient in closed form."""

from __future__ import annotations

from typing import NamedTuple


class HiddenUnit(NamedTuple):
    """f(x) = gradient * x + share_b0 + share_b1, all in units of the output."""

    output: float
    gradient: float
    share_b0: float
    share_b1: float


def hidden_unit(x: float, w0: float, b0: float, w1: float, b1: float) -> HiddenUnit:
    """Output, input-gradient and both bias-gradients of one hidden unit.

    Source: Srinivas & Fleuret 2019, arXiv:1905.00780, example 2 and equation 1; with w0 = w1 = -1, b0 = b and b1 = a it is
    the saturating a - ReLU(b - x) of section 4.1. Deviations: none; ReLU'(0) is 0, as PyTorch's.

    Args:
        x: the input.
        w0, b0: weight and bias before the ReLU.
        w1, b1: weight and bias after it.

    Returns:
        `HiddenUnit`; its parts sum to the output.

    Example:
        >>> hidden_unit(1.0, 2.0, 1.0, 3.0, -1.0)
        HiddenUnit(output=8.0, gradient=6.0, share_b0=3.0, share_b1=-1.0)
        >>> hidden_unit(2.0, -1.0, 1.0, -1.0, 1.0).share_b1  # saturated: all of the output is the outer bias
        1.0
    """
    alive = float(w0 * x + b0 > 0)
    output = w1 * max(w0 * x + b0, 0.0) + b1
    return HiddenUnit(output, w1 * w0 * alive, w1 * alive * b0, b1)
