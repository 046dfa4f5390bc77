"""Saliency maps beside the output of an edge detector, and maps of images of which only the edges are left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...models.nets.small_cnn import SmallCNN
from ...train import seeded
from ..lab import IMAGENET, Lab
from ..numbers import over
from ..types import Measured, Number
from .alike import DRAWN, TUPLE, magnitude, rolled
from .alike import compared as similarities

METHODS = (
    "gradient", "smoothgrad", "guided_backprop", "gradcam", "guided_gradcam", "integrated_gradients", "gradient_x_input",
)  # fmt: skip
"""Of figure 1."""
GUIDED = ("guided_backprop", "guided_gradcam")
MASKED = ("gradient", "integrated_gradients", "gradient_x_input")
PHOTOS, SIZE = 3, 112
"""That are drawn, and their pixels."""

Maps = Mapping[str, Tensor]


@dataclass(frozen=True)
class Shown:
    """Images, the network that sees them, and its maps of them and of their edges."""

    images: Tensor
    edges: Tensor
    maps: Maps
    edged: Maps


def photos(lab: Lab) -> Measured:
    """MobileNetV2 on photos."""
    found = on_photos(lab, "mobilenet_v2")
    return Measured({**compared(found), **masked(found.maps)}, drawn(found))


def photos_squeezenet(lab: Lab) -> Measured:
    """SqueezeNet on the same photos."""
    return Measured(compared(on_photos(lab, "squeezenet1_0")))


def on_photos(lab: Lab, network: str) -> Shown:
    x = lab.photos(lab.pick(8, 16, 50)).pixels.to(lab.device)
    return shown(lab, lab.photo_net(network), x, black_of(x))


def black_of(like: Tensor) -> Tensor:
    """In the units of networks of ImageNet."""
    return torch.tensor([-m / s for m, s in zip(IMAGENET["mean"], IMAGENET["std"], strict=True)]).to(like)[
        :, None, None
    ]


def small(lab: Lab) -> Measured:
    """The CNN of the paper on MNIST and ResNet-20 on CIFAR-10."""
    digits, _ = lab.labelled("MNIST", "test", 50)
    pictures, _ = lab.cifar_units(50)
    mnist = shown(lab, lab.network("mnist-cnn"), digits, torch.zeros(1, 1, 1, device=lab.device))
    cifar = shown(lab, lab.resnet20(), pictures, black_of(pictures))
    sets = {"MNIST": compared(mnist), "CIFAR-10": compared(cifar)}
    return Measured({f"{name}/{key}": n for name, held in sets.items() for key, n in held.items()})


def shown(lab: Lab, model: nn.Module, x: Tensor, black: Tensor) -> Shown:
    """Every method on images and on their product with their edges, for the same classes."""
    draws = lab.pick(10, 15, 50)
    options = {"smoothgrad": f"smoothgrad(n={draws})", "integrated_gradients": f"integrated_gradients(steps={draws})"}
    with torch.no_grad():
        y = model(x).argmax(1)
    edges = lab.method("edge_map")(model, x, y)
    strength = edges / edges.amax((1, 2, 3), keepdim=True)
    edged = black + (x - black) * strength
    methods = {n: lab.method(options.get(n, n)) for n in METHODS}
    maps, others = ({n: m(model, images, y).detach() for n, m in methods.items()} for images in (x, edged))
    return Shown(x, edges, maps, others)


def compared(found: Shown) -> dict[str, Number]:
    """Similarities of magnitudes with edges and with maps of edges, and how far they are above another image's."""
    numbers: dict[str, Number] = {}
    for metric, alike in DRAWN.items():
        own = {n: alike(magnitude(m), found.edges) for n, m in found.maps.items()}
        kept = {n: alike(magnitude(m), magnitude(found.edged[n])) for n, m in found.maps.items()}
        for n, m in found.maps.items():
            other = alike(magnitude(m), rolled(found.edges))
            apart = alike(magnitude(m), rolled(magnitude(found.edged[n])))
            numbers |= {f"edges/{n}/{metric}": over(own[n]), f"edges-more/{n}/{metric}": over(own[n] - other),
                        f"kept/{n}/{metric}": over(kept[n]), f"kept-more/{n}/{metric}": over(kept[n] - apart)}  # fmt: skip
        for guided in GUIDED:
            rest = [n for n in found.maps if n not in GUIDED]
            numbers |= {f"closer/{guided}/{n}/{metric}": over(own[guided] - own[n]) for n in rest}
    return numbers


def masked(maps: Maps) -> dict[str, Number]:
    """The four similarities of signed maps with masks of normal noise (appendix B)."""
    noise = torch.randn(next(iter(maps.values())).shape, generator=torch.Generator().manual_seed(31))
    parts = [similarities(f"mask/{n}", maps[n].cpu(), noise, TUPLE) for n in MASKED]
    return {key: number for part in parts for key, number in part.items()}


def drawn(found: Shown) -> dict[str, Tensor]:
    """Some images evenly from all, their edges and the magnitudes of their maps, small."""
    places = [i * len(found.images) // PHOTOS for i in range(PHOTOS)]
    scale, shift = (torch.tensor(IMAGENET[k]).to(found.images)[:, None, None] for k in ("std", "mean"))
    plain = found.images[places] * scale + shift
    arrays = {"photos": plain, "edges": found.edges[places]}
    for kind, maps in (("map", found.maps), ("edged", found.edged)):
        arrays |= {f"{kind}/{n}": magnitude(m[places]) for n, m in maps.items()}
    return {n: F.interpolate(a.float(), size=SIZE, mode="area") for n, a in arrays.items()}


def without_model(lab: Lab) -> Measured:
    """How much the edge map of an image changes from one random network to another."""
    x = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(32))
    edge_map, y = lab.method("edge_map"), torch.zeros(4, dtype=torch.int64)
    first, second = (edge_map(seeded(SmallCNN, seed).eval(), x, y) for seed in range(2))
    return Measured({"change": Number(float((first - second).abs().max()))})
