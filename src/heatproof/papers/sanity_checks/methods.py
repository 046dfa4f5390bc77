"""The methods of appendix A beside slow versions of their formulas, on a small network in float64."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...types import Explain
from ..lab import Lab
from ..types import Measured, Number

Array = np.ndarray[Any, Any]
SIDE, SMALL, IMAGES, CLASSES = 6, 3, 4, 3
STEPS, DRAWS, SPREAD = 50, 50, 0.15
FEW, VAR_DRAWS = 10, 25
"""Steps of a draw of IG-SG, and draws of VarGrad."""


class Recorded(nn.Module):
    """A network that notes what it is asked, so that the noise of SmoothGrad can be read back."""

    def __init__(self, inside: nn.Module, note: Callable[[Tensor], None]) -> None:
        super().__init__()
        self.inside, self.note = inside, note

    def forward(self, x: Tensor) -> Tensor:
        for part in torch.split(x.detach().clone(), IMAGES):  # several draws may come together
            self.note(part)
        out: Tensor = self.inside(x)
        return out


class Tilted(nn.Module):
    """A network plus a linear function of its input."""

    def __init__(self, inside: nn.Module, slope: Tensor) -> None:
        super().__init__()
        self.inside, self.slope = inside, nn.Parameter(slope)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inside(x) + x.flatten(1) @ self.slope
        return out


class Slow:
    """`network` as three matrices: a convolution is one too. Maps ``(C, H, W)`` of one image at a time."""

    def __init__(self, model: nn.Sequential) -> None:
        first, second, last = (layer for layer in model if isinstance(layer, nn.Conv2d | nn.Linear))
        self.m1, self.b1 = conv_matrix(first, SIDE)
        self.m2, self.b2 = conv_matrix(second, SIDE)
        self.m3, self.b3 = array(last.weight), bias_of(last, CLASSES)

    def layers(self, x: Array) -> tuple[Array, Array, Array]:
        """Both pre-activations and the logits."""
        z1 = self.m1 @ x.ravel() + self.b1
        z2 = self.m2 @ np.maximum(z1, 0) + self.b2
        return z1, z2, self.m3 @ np.maximum(z2, 0) + self.b3

    def gradient(self, x: Array, y: int, guided: bool = False) -> Array:
        """Chain rule, A.1; guided: the mask of A.3 at each ReLU."""
        z1, z2, _ = self.layers(x)
        r = self.m3[y]
        for z, m in ((z2, self.m2), (z1, self.m1)):
            r = (r * (z > 0) * ((r > 0) if guided else 1)) @ m
        return np.asarray(r).reshape(x.shape)

    def integrated(self, x: Array, y: int, steps: int = STEPS) -> Array:
        """A.5 with baseline 0, the integral at the middles of equal steps."""
        return x * sum(self.gradient((i + 0.5) / steps * x, y) for i in range(steps)) / steps

    def gradcam(self, x: Array, y: int) -> Array:
        """A.4, enlarged to the input's size."""
        features = np.maximum(self.layers(x)[1], 0).reshape(-1, SMALL, SMALL)
        alpha = self.m3[y].reshape(features.shape).mean((1, 2))
        return enlarged(np.maximum((alpha[:, None, None] * features).sum(0), 0), SIDE)[None]


def array(values: Tensor) -> Array:
    return values.detach().numpy()


def bias_of(layer: Any, size: int) -> Array:
    """Its bias, repeated for each place of a feature map."""
    return np.zeros(size) if layer.bias is None else np.repeat(array(layer.bias), size // len(layer.bias))


def conv_matrix(layer: Any, side: int) -> tuple[Array, Array]:
    """A convolution of 3x3 with one pixel of zero padding as a matrix, and its bias."""
    weight, stride = array(layer.weight), layer.stride[0]
    outs, ins, small = len(weight), weight.shape[1], (side - 1) // stride + 1
    matrix = np.zeros((outs, small, small, ins, side, side))
    for i, j, k, l in product(range(small), range(small), range(3), range(3)):  # noqa: E741
        row, column = i * stride + k - 1, j * stride + l - 1
        if 0 <= row < side and 0 <= column < side:
            matrix[:, i, j, :, row, column] = weight[:, :, k, l]
    size = outs * small * small
    return matrix.reshape(size, -1), bias_of(layer, size)


def enlarged(small: Array, side: int) -> Array:
    """Bilinear, pixel centres at half places, as images are resized."""
    out = np.zeros((side, side))
    for i, j in product(range(side), range(side)):
        (r, dr), (c, dc) = (_place(n, side, len(small)) for n in (i, j))
        down, right = min(r + 1, len(small) - 1), min(c + 1, len(small) - 1)
        upper = (1 - dc) * small[r, c] + dc * small[r, right]
        out[i, j] = (1 - dr) * upper + dr * ((1 - dc) * small[down, c] + dc * small[down, right])
    return out


def _place(n: int, side: int, small: int) -> tuple[int, float]:
    where = max((n + 0.5) * small / side - 0.5, 0.0)
    return int(where), where - int(where)


def network(bias: bool = True) -> nn.Sequential:
    """Two convolutions, the second with stride 2, and a linear layer, with seeded normal weights. float64."""
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=bias), nn.ReLU(), nn.Conv2d(4, 5, 3, stride=2, padding=1, bias=bias),
        nn.ReLU(), nn.Flatten(), nn.Linear(5 * SMALL * SMALL, CLASSES, bias=bias),
    )  # fmt: skip
    noise = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=noise) * 0.4)
    return model.double().eval()


def images() -> tuple[Tensor, Tensor]:
    noise = torch.Generator().manual_seed(12)
    return torch.randn(IMAGES, 2, SIDE, SIDE, generator=noise, dtype=torch.float64), torch.arange(IMAGES) % CLASSES


def formulas(lab: Lab) -> Measured:
    """Largest difference of each method from its slow version, as a share of the largest value of the map."""
    model, (x, y) = network(), images()
    slow = Slow(model)
    noisy, sg = noisy_copies(lab, model, x, y)
    slow_maps: dict[str, Callable[[Array, int], Array]] = {
        "gradient": slow.gradient,
        "gradient_x_input": lambda a, c: a * slow.gradient(a, c),
        "guided_backprop": lambda a, c: slow.gradient(a, c, guided=True),
        "gradcam": slow.gradcam,
        "guided_gradcam": lambda a, c: slow.gradcam(a, c) * slow.gradient(a, c, guided=True),
        "integrated_gradients": slow.integrated,
    }
    gaps = {n: gap(lab.method(n)(model, x, y), each(f, x, y)) for n, f in slow_maps.items()}
    draws = torch.stack([each(slow.gradient, n, y) for n in noisy])
    gaps["smoothgrad"] = gap(sg, draws.mean(0))
    gaps["vargrad"] = gap(lab.method("vargrad(gradient)")(model, x, y), draws[:VAR_DRAWS].var(0, correction=0))
    ig = torch.stack([each(lambda a, c: slow.integrated(a, c, FEW), n, y) for n in noisy])
    gaps["ig_smoothgrad"] = gap(lab.method("ig_smoothgrad")(model, x, y), ig.mean(0))
    gaps |= without_biases(lab, x, y)
    gaps["vargrad/tilted"] = tilted(lab.method("vargrad(gradient)"), model, x, y)
    return Measured({n: Number(v) for n, v in {**gaps, **residual(lab, slow, x, y), **noise_of(x, noisy)}.items()})


def each(f: Callable[[Array, int], Array], x: Tensor, y: Tensor) -> Tensor:
    return torch.stack([torch.from_numpy(f(array(a), int(c))) for a, c in zip(x, y, strict=True)])


def gap(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


def noisy_copies(lab: Lab, model: nn.Module, x: Tensor, y: Tensor) -> tuple[list[Tensor], Tensor]:
    """The inputs that SmoothGrad asked for, and its map."""
    seen: list[Tensor] = []

    def note(asked: Tensor) -> None:  # a function is not copied with the network, a list would be
        seen.append(asked)

    found = lab.method("smoothgrad")(Recorded(model, note).eval(), x, y)
    return [s for s in seen if s.shape == x.shape and not torch.equal(s, x)] or [x], found


def noise_of(x: Tensor, noisy: list[Tensor]) -> dict[str, float]:
    """How many noisy copies there were, and their noise as a share of each image's range."""
    size = (x.flatten(1).amax(1) - x.flatten(1).amin(1))[:, None, None, None]
    shares = (torch.stack(noisy) - x) / size
    return {"draws": float(len(noisy)), "noise": float(shares.std()), "noise/mean": float(shares.mean())}


def residual(lab: Lab, slow: Slow, x: Tensor, y: Tensor) -> dict[str, float]:
    """What the sum of integrated gradients lacks of the logit's change from the baseline, as a share of that change."""
    sums = lab.method("integrated_gradients")(network(), x, y).flatten(1).sum(1)
    change = each(lambda a, c: np.asarray(slow.layers(a)[2][c] - slow.layers(0 * a)[2][c]), x, y)
    return {"completeness": float((sums - change).abs().sum() / change.abs().sum())}


def without_biases(lab: Lab, x: Tensor, y: Tensor) -> dict[str, float]:
    """DeepLIFT and epsilon-LRP beside gradient x input where there are no biases."""
    model = network(bias=False)
    product_ = lab.method("gradient_x_input")(model, x, y)
    names = {"deeplift": "deeplift", "lrp": "lrp(epsilon=1e-12)"}
    return {f"bias-free/{n}": gap(lab.method(text)(model, x, y), product_) for n, text in names.items()}


def tilted(vargrad: Explain, model: nn.Module, x: Tensor, y: Tensor) -> float:
    """VarGrad of the network plus a linear function, beside VarGrad of the network."""
    slope = torch.randn(x[0].numel(), CLASSES, generator=torch.Generator().manual_seed(13), dtype=x.dtype)
    return gap(vargrad(Tilted(model, slope).eval(), x, y), vargrad(model, x, y))
