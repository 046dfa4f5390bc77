"""Equation 1 on networks, beside a slow version by the gradients of the parameters (section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ...full_gradient import full_gradient
from ...models.nets.vgg9 import VGG9
from ...theory.implicit_bias import FORMULAS, implicit_bias
from ..lab import Lab
from ..types import Measured, Number

Subject = tuple[nn.Module, Tensor]
LAYERS = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)
BIAS_FREE = ("VGG-9 without biases", "one hidden layer without biases")
PIECEWISE = ("VGG-9", "ResNet-20", "LeNet", "SqueezeNet")
"""Networks of ReLUs, poolings, convolutions, linear layers and batch norms, for which the paper proves equation 1."""
OTHERS = ("MobileNetV2", "vision transformer")
"""With ReLU6; with GELU, layer norm and attention."""


def drawn(net: nn.Module, seed: int) -> nn.Module:
    """The network in float64 with random weights, biases and batch-norm statistics, none of them neutral."""
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
            if tensor.is_floating_point():
                values = torch.randn(tensor.shape, generator=noise)
                fan = max(tensor[0].numel(), 1) if tensor.dim() > 1 else 4
                tensor.copy_(values.abs() + 0.5 if "var" in name else values * (2 / fan) ** 0.5)
    return net.double().eval()


def images(count: int, channels: int, side: int, seed: int = 0) -> Tensor:
    noise = torch.Generator().manual_seed(seed)
    return torch.randn(count, channels, side, side, generator=noise, dtype=torch.float64)


def equation_1(lab: Lab) -> Measured:
    """Propositions 2 and 3: how far gradient x input, and all full gradients, are from the output."""
    numbers = {}
    for name, (net, x) in bias_free().items():
        numbers[f"bias-free/{name}"] = Number(missed(net, x, lab.method("gradient_x_input")(net, x)))
    for name, make in networks(lab).items():
        net, x = make()
        numbers |= {f"{key}/{name}": Number(value) for key, value in of_network(lab, net, x).items()}
    return Measured(numbers)


def bias_free() -> dict[str, Subject]:
    plain = VGG9(width=0.25, batch_norm=False, bias=False)
    dense = nn.Sequential(nn.Flatten(), nn.Linear(3 * 1024, 32, bias=False), nn.ReLU(), nn.Linear(32, 10, bias=False))
    nets = dict(zip(BIAS_FREE, (plain, dense), strict=True))
    return {name: (drawn(net, seed), images(4, 3, 32, seed)) for seed, (name, net) in enumerate(nets.items())}


def networks(lab: Lab) -> dict[str, Callable[[], Subject]]:
    """The networks of proposition 3 with their images; pretrained ones where there are weights."""
    few = lab.pick(2, 8)

    def lenet() -> Subject:
        return lab.lenet().double(), (lab.labelled("MNIST", "test", 8)[0].double() - 0.1307) / 0.3081

    def photos(name: str) -> Callable[[], Subject]:
        return lambda: (lab.photo_net(name).double(), lab.photos(few).pixels.to(lab.device).double())

    return {
        "VGG-9": lambda: (drawn(VGG9(width=0.25), 2), images(4, 3, 32)),
        "ResNet-20": lambda: (lab.resnet20().double(), lab.cifar_units(8)[0].double()),
        "LeNet": lenet,
        "SqueezeNet": photos("squeezenet1_0"),
        "MobileNetV2": photos("mobilenet_v2"),
        "vision transformer": lambda: (transformer(), images(4, 3, 32)),
    }


def transformer() -> nn.Module:
    """A small vision transformer with random weights."""
    from torchvision.models import VisionTransformer

    return drawn(VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64, num_classes=10), 3)


def of_network(lab: Lab, net: nn.Module, x: Tensor) -> dict[str, float]:
    """Relative errors of equation 1: as decomposed; with gradients of the bias parameters; with input-gradients alone."""
    given = lab.method("gradient_x_input")(net, x).flatten(1).sum(1)
    d = full_gradient(net, x)
    total = d.input_term.flatten(1).sum(1) + sum(t.value.flatten(1).sum(1) for t in d.terms)
    parameters = torch.stack([by_parameters(net, x[i : i + 1]) for i in range(len(x))])
    return {
        "exact": missed(net, x, total),
        "parameters": missed(net, x, given + parameters),
        "input only": missed(net, x, given),
        "terms": float(len(d.terms)),
    }


def by_parameters(net: nn.Module, x: Tensor) -> Tensor:
    """sum of df/db b over the biases of convolutions, linear layers and batch norms of one image: the last term of eq. 1.

    A batch norm's b is beta - mu gamma / sigma, and df/db of it is df/dbeta.
    """
    held = [m for m in net.modules() if isinstance(m, LAYERS) and m.bias is not None]
    out = net(x)
    slopes = torch.autograd.grad(out.max(), [m.get_parameter("bias") for m in held], allow_unused=True)
    total = torch.zeros((), dtype=x.dtype)
    for m, slope in zip(held, slopes, strict=True):
        if slope is not None:
            total = total + (slope * bias_of(m)).sum()
    return total.detach()


def bias_of(layer: nn.Module) -> Tensor:
    """The bias with its implicit part: what the layer gives for an input of zeros, by channel."""
    explicit, implicit = parts_of(layer)
    return explicit + implicit


def parts_of(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Explicit and implicit bias by channel: beta, and -mu gamma / sigma of a batch norm."""
    own = layer.get_parameter("bias").detach()
    if not isinstance(layer, nn.BatchNorm2d):
        return own, torch.zeros_like(own)
    mean, variance = layer.get_buffer("running_mean"), layer.get_buffer("running_var")
    return own, -mean * layer.weight.detach() / (variance + layer.eps).sqrt()


def missed(net: nn.Module, x: Tensor, found: Tensor) -> float:
    """The largest |f - sum| / |f| over images, f of the predicted class."""
    with torch.no_grad():
        f = net(x).amax(1)
    return float(((f - found.flatten(1).sum(1) if found.dim() > 1 else f - found) / f).abs().max())


def non_linearities(lab: Lab) -> Measured:
    """Implicit biases of non-linearities: against closed forms, and the share of the output that they carry."""
    return Measured(dict(_non_linearities()))


def _non_linearities() -> Iterator[tuple[str, Number]]:
    x = 4 * images(4, 2, 8)  # so that ReLU6 is reached on both sides
    for seed, name in enumerate(FORMULAS):
        layers = nn.Conv2d(2, 4, 3, padding=1), getattr(nn, name)(), nn.Conv2d(4, 4, 3, padding=1), nn.Flatten()
        net = drawn(nn.Sequential(*layers, nn.Linear(256, 5)), seed)
        d = full_gradient(net, x)
        shares = next((t.value for t in d.terms if t.name == "1"), torch.zeros(4, 4, 8, 8, dtype=x.dtype))
        closed = _closed(net, name, x)
        total = d.input_term.flatten(1).sum(1) + sum(t.value.flatten(1).sum(1) for t in d.terms)
        without = total - closed.flatten(1).sum(1)
        yield f"formula/{name}", Number(float((shares - closed).abs().max() / closed.abs().max().clamp_min(1e-9)))
        yield f"exact/{name}", Number(missed(net, x, total))
        yield f"without/{name}", Number(missed(net, x, without))


def _closed(net: nn.Module, name: str, x: Tensor) -> Tensor:
    """df/dy of the non-linearity's output, by autograd, times the closed form of its implicit bias."""
    conv, sigma, *rest = net.children()
    z = conv(x).detach()
    y = sigma(z).requires_grad_()
    out: Tensor = nn.Sequential(*rest)(y)
    slope: Tensor = torch.autograd.grad(out.amax(1).sum(), y)[0]
    return slope * implicit_bias(name, z)
