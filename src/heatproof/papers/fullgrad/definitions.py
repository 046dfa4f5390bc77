"""Local and global attribution on random ReLU networks (definitions 1 and 2, proposition 1, section 4.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...full_gradient import full_gradient
from ..lab import Lab
from ..types import Measured, Number
from .theory import LOCAL, input_gradient

GLOBAL = {"integrated gradients": "integrated_gradients(steps=2000, batch_size=500)", "DeepLIFT": "deeplift"}
"""Methods that the paper calls complete."""
NETWORKS = 3
EVERY = 7
"""Of the parameters, one is moved."""


def relu_network(seed: int) -> nn.Sequential:
    """Two convolutions and a linear layer with random weights and biases, in float64. ``(B, 1, 8, 8) -> (B, 3)``."""
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)
    )
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=noise) * 0.5)
    return net.double().eval()


def definitions(lab: Lab) -> Measured:
    """Weak dependence and completeness of maps and of the full gradient, on random ReLU networks (definitions 1, 2)."""
    worst: dict[str, float] = {}
    least: dict[str, float] = {}
    for seed in range(NETWORKS):
        for name, value in _of_network(lab, seed).items():
            worst[name] = max(worst.get(name, 0.0), value)
            least[name] = min(least.get(name, torch.inf), value)
    numbers = {name: Number(value) for name, value in worst.items()}
    return Measured(numbers | {f"least/{name}": Number(value) for name, value in least.items()})


def _of_network(lab: Lab, seed: int) -> dict[str, float]:
    net, target = relu_network(seed), torch.tensor([0])
    x, near = neighbours(net, seed)
    found = {}
    for name, text in (LOCAL | GLOBAL).items():
        first, second = (lab.method(text)(net, at, target) for at in (x, near))
        found[f"within/{name}"] = relative(first, second)
        rise = logit_of(net, x) - logit_of(net, torch.zeros_like(x))
        found[f"completeness/{name}"] = abs(float(first.sum()) - rise) / abs(rise)
        shifted = lab.method(text)(_shifted(net), x, target)
        found[f"shifted/{name}"] = relative(first, shifted)
    g, h = (full_gradient(net, at, target) for at in (x, near))
    pairs = [(input_gradient(net, x), input_gradient(net, near))]
    pairs += [(a.value, b.value) for a, b in zip(g.terms, h.terms, strict=True)]
    found["within/full gradient"] = max(relative(a, b) for a, b in pairs)
    total = float(g.input_term.sum() + sum(t.value.sum() for t in g.terms))
    found["completeness/full gradient"] = abs(total - logit_of(net, x)) / abs(total)
    found["shifted/output"] = logit_of(_shifted(net), x) - logit_of(net, x)
    found["step"] = relative(x, near)
    return found | _sensitivity(net, x)


def _sensitivity(net: nn.Sequential, x: Tensor) -> dict[str, float]:
    """Parameters that change f and not G, and those that change G and not f: numbers of both."""
    before, f_only, g_only = full_vector(net, x), 0, 0
    for p in net.parameters():
        for place in range(0, p.numel(), EVERY):
            nudge(p, place, 1e-3)
            change = (full_vector(net, x) - before).abs()
            nudge(p, place, -1e-3)
            moved_f, moved_g = float(change[0]) > 1e-9, float(change[1:].max()) > 1e-9
            f_only, g_only = f_only + (moved_f and not moved_g), g_only + (moved_g and not moved_f)
    return {"parameters/f only": float(f_only), "parameters/G only": float(g_only)}


@torch.no_grad()
def nudge(parameter: Tensor, place: int, by: float) -> None:
    """Add to one value of a parameter."""
    parameter.view(-1)[place] += by


def full_vector(net: nn.Module, x: Tensor) -> Tensor:
    """f and the whole of G = (input-gradient, bias-gradients) in one vector."""
    d = full_gradient(net, x, torch.tensor([0]))
    shares = {t.name: t.value.flatten() for t in d.terms}
    return torch.cat([d.output, input_gradient(net, x).flatten(), *(shares[name] for name in sorted(shares))])


def _shifted(net: nn.Sequential) -> nn.Sequential:
    """The network with 1 added to every output bias: another function with the same slopes (proposition 1)."""
    other = relu_network(0)
    other.load_state_dict(net.state_dict())
    with torch.no_grad():
        other.get_parameter("5.bias").add_(1)
    return other


def neighbours(net: nn.Sequential, seed: int) -> tuple[Tensor, Tensor]:
    """Two images in the same linear region: the step between them is halved until all ReLUs agree."""
    noise = torch.Generator().manual_seed(100 + seed)
    x = torch.rand(1, 1, 8, 8, generator=noise, dtype=torch.float64) + 0.2
    step = torch.randn(x.shape, generator=noise, dtype=torch.float64)
    while not torch.equal(pattern(net, x), pattern(net, x + step)):
        step = step / 2
    return x, x + step


def pattern(net: nn.Sequential, x: Tensor) -> Tensor:
    """Which ReLUs let their input through."""
    states = []
    with torch.no_grad():
        for layer in net:
            if isinstance(layer, nn.ReLU):
                states.append((x > 0).flatten())
            x = layer(x)
    return torch.cat(states)


@torch.no_grad()
def logit_of(net: nn.Module, x: Tensor) -> float:
    return float(net(x)[0, 0])


def relative(a: Tensor, b: Tensor) -> float:
    """The largest difference by the largest value."""
    return float((a - b).abs().max() / a.abs().max())
