"""What each ``rule=`` of LRP means for convolutions and for linear layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .lrp_layer import LayerRule, alphabeta, gamma, zplus


@dataclass(frozen=True)
class Options:
    """What the caller chose; see `heatproof.lrp`."""

    rule: str
    epsilon: float
    gamma: float
    alpha: float
    beta: float


@dataclass(frozen=True)
class Plan:
    """The rule of convolutions and of linear layers, None for epsilon, and whether the first convolution gets the box."""

    convolution: LayerRule | None = None
    linear: LayerRule | None = None
    boxed: bool = False


PLANS: dict[str, Callable[[Options], Plan]] = {
    "epsilon": lambda o: Plan(),
    "zplus": lambda o: Plan(zplus(o.epsilon), zplus(o.epsilon)),
    "gamma": lambda o: Plan(gamma(o.epsilon, o.gamma), gamma(o.epsilon, o.gamma)),
    "alphabeta": lambda o: Plan(alphabeta(o.epsilon, o.alpha, o.beta), alphabeta(o.epsilon, o.alpha, o.beta)),
    "composite": lambda o: Plan(gamma(o.epsilon, o.gamma), boxed=True),
    "epsilon_plus": lambda o: Plan(zplus(o.epsilon)),
    "epsilon_alphabeta": lambda o: Plan(alphabeta(o.epsilon, o.alpha, o.beta)),
}
"""The rules of each ``rule=``; the composites are zennit's EpsilonGammaBox, EpsilonPlus and EpsilonAlpha2Beta1."""
