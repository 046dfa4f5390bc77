"""Maps of a MobileNetV2 on photos with boxes: layers, post-processings, other methods (figures 1 and 3, section 4.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...data.masks import masks_for, smaller_than
from ...data.preprocess import Preprocess
from ...experiment.trial import evenly
from ...faithfulness.complexity import complexity
from ...faithfulness.localisation import localisation
from ...full_gradient import LAYERS, FullGradient, full_gradient
from ...psi import Psi
from ...similarity.spearman import spearman
from ..lab import IMAGENET, Lab
from ..numbers import over
from ..types import Measured, Number

SMALL = 0.5
"""Largest share of the photo that the boxes may cover: else there is little outside of the object."""
DRAWN = 4
ALL = 1_000_000
EQUATION_2, BY_LAYER = "equation 2", "rescaled by layer"
VARIANTS = {
    EQUATION_2: "fullgrad(rescale='channel')",
    BY_LAYER: "fullgrad",
    "not rescaled (psi_mnist)": "fullgrad(rescale='none')",
    "signed (psi_m)": "fullgrad(rescale='none', values='signed')",
    "without biases (SimpleFullGrad)": "simple_fullgrad(rescale='channel')",
}
WITHOUT_X = "without the factor x"
SHARPNESS = ("Gini index", "concentration")
"""Larger is sharper: Gini index; 1 - entropy / log N; both of |map|."""
FULLGRAD = "FullGrad"
METHODS = {
    "gradient": "gradient",
    "integrated gradients": "integrated_gradients(steps=20)",
    "SmoothGrad": "smoothgrad(n=20)",
    "Grad-CAM": "gradcam",
    FULLGRAD: "fullgrad",
}


def boxed(lab: Lab, count: int) -> tuple[Tensor, Tensor]:
    """Photos whose boxes cover less than half of them, evenly from all, and the masks of the boxes."""
    photos = lab.photos()
    how = Preprocess(224, 256, IMAGENET["mean"], IMAGENET["std"])
    masks = masks_for(photos, lab.data / "imagenet-samples" / "images.csv", how)
    small = smaller_than(masks, SMALL)
    places = [small[i] for i in evenly(len(small), min(count, len(small)))]
    return photos.pixels[places].to(lab.device), masks.masks[places].to(lab.device)


def layers(lab: Lab) -> Measured:
    """MobileNetV2, whose biases are those of its folded batch norms."""
    return of_layers(lab, "mobilenet_v2")


def layers_squeezenet(lab: Lab) -> Measured:
    """SqueezeNet, whose biases are those of its convolutions."""
    return of_layers(lab, "squeezenet1_0")


def of_layers(lab: Lab, network: str) -> Measured:
    """Where each layer's bias-gradients lie, and all of them together, beside the box of the object."""
    x, masks = boxed(lab, lab.pick(10, 36, ALL))
    net, explain = lab.photo_net(network), lab.method("fullgrad")
    cells, kept = [], []
    for i in range(len(x)):
        stack = torch.cat([explain(net, x[i : i + 1]), *by_layer(full_gradient(net, x[i : i + 1]))])
        cells.append(localisation(stack, masks[i : i + 1].expand(len(stack), -1, -1, -1)).auc)
        if i < DRAWN:
            kept.append(smaller(stack[:, 0]))
    table = torch.stack(cells, 1)
    names = [FULLGRAD, "input", *(f"{place}" for place in range(1, len(table) - 1))]
    numbers = {f"auc/{name}": over(row) for name, row in zip(names, table, strict=True)}
    gaps = {f"gap/{name}": over(table[0] - row) for name, row in zip(names[1:], table[1:], strict=True)}
    arrays = {"layers": torch.stack(kept), "photos": smaller(shown(x[:DRAWN])), "masks": smaller(masks[:DRAWN].float())}
    return Measured(numbers | gaps | {"images": Number(float(len(x)))}, arrays, {"names": "\n".join(names)})


def by_layer(d: FullGradient) -> Iterator[Tensor]:
    """psi of gradient x input, and of the bias-gradient of each convolution and batch norm, as maps of the image's size."""
    size = (d.input_term.shape[2], d.input_term.shape[3])
    psi = Psi()
    yield psi(d.input_term, size)
    for term in d.terms:
        grid = term.on_grid() if term.op in LAYERS else None
        if grid is not None:
            yield psi(grid, size)


def sharpness(lab: Lab) -> Measured:
    """How sharp equation 2 and its variants are, on the same photos."""
    x, _ = boxed(lab, lab.pick(10, 36, ALL))
    net = lab.photo_net("mobilenet_v2")
    maps = {name: _in_turn(lab, net, x, text) for name, text in VARIANTS.items()}
    maps[WITHOUT_X] = maps[EQUATION_2] + _input_terms(net, x)
    found = {name: sharp(m) for name, m in maps.items()}
    numbers = {f"{what}/{name}": over(values[what]) for name, values in found.items() for what in SHARPNESS}
    for subject in (EQUATION_2, BY_LAYER):
        for name in maps:
            gaps = {what: found[subject][what] - found[name][what] for what in SHARPNESS}
            numbers |= {f"gap/{what}/{subject}/{name}": over(gap) for what, gap in gaps.items()}
    drawn = {name: smaller(m[:DRAWN, 0]) for name, m in maps.items()} | {"photos": smaller(shown(x[:DRAWN]))}
    return Measured(numbers | {"images": Number(float(len(x)))}, drawn)


def _in_turn(lab: Lab, net: nn.Module, x: Tensor, text: str) -> Tensor:
    explain = lab.method(text)
    return torch.cat([explain(net, x[i : i + 2]).detach() for i in range(0, len(x), 2)])


def _input_terms(net: nn.Module, x: Tensor) -> Tensor:
    """psi(gradient) - psi(gradient x input): what the factor x in equation 2 changes."""
    psi, parts = Psi(rescale="channel"), []
    for image in x[:, None]:
        leaf = image.clone().requires_grad_()
        grad = torch.autograd.grad(net(leaf).amax(1).sum(), leaf)[0]
        size = (image.shape[2], image.shape[3])
        parts.append(psi(grad, size) - psi(grad * image, size))
    return torch.cat(parts)


def sharp(maps: Tensor) -> Mapping[str, Tensor]:
    """Numbers of `SHARPNESS` of each map. ``(B, C, H, W)``"""
    c = complexity(maps)
    return dict(zip(SHARPNESS, (c.gini, 1 - c.evenness), strict=True))


def variation(maps: Tensor) -> Tensor:
    """Sum of differences of neighbours by the mass of the map: how noisy, whatever the scale. ``(B,)``"""
    m = maps.double().abs().sum(1)
    down, across = (m.diff(dim=side).abs().flatten(1).sum(1) for side in (1, 2))
    return (down + across) / m.flatten(1).sum(1)


def methods(lab: Lab) -> Measured:
    """Noise of the maps of figure 3, their mass in the box of the object, and how they follow the image's edges."""
    x, masks = boxed(lab, lab.pick(8, 28, ALL))
    net = lab.photo_net("mobilenet_v2")
    edges = lab.method("edge_map")(net, x)
    cells: dict[str, dict[str, Tensor]] = {"noise": {}, "inside": {}, "auc": {}, "edges": {}}
    arrays = {"photos": smaller(shown(x[:DRAWN])), "masks": smaller(masks[:DRAWN].float())}
    for name, text in METHODS.items():
        maps = _in_turn(lab, net, x, text)
        shape, found = over_floor(maps), localisation(maps, masks)
        cells["noise"][name] = variation(shape)
        cells["inside"][name] = localisation(shape, masks).gain
        cells["auc"][name] = found.auc
        cells["edges"][name] = spearman(maps.abs().sum(1, keepdim=True), edges, absolute=True)
        arrays[name] = smaller(maps[:DRAWN].abs().sum(1))
    numbers: dict[str, Number] = {"images": Number(float(len(x)))}
    for what, rows in cells.items():
        numbers |= {f"{what}/{name}": over(values) for name, values in rows.items()}
        numbers |= {f"gap/{what}/{name}": over(rows[FULLGRAD] - values) for name, values in rows.items()}
    return Measured(numbers, arrays)


def over_floor(maps: Tensor) -> Tensor:
    """|map| less its smallest value: sums of maps that are not negative have a floor, which shows nothing."""
    size = maps.abs().sum(1, keepdim=True)
    return size - size.amin((2, 3), keepdim=True)


def smaller(stack: Tensor) -> Tensor:
    """Pictures at half their size, ``(..., H, W)`` float32: all that is drawn."""
    flat = stack.detach().float().reshape(-1, 1, *stack.shape[-2:])
    return F.avg_pool2d(flat, 2).reshape(*stack.shape[:-2], stack.shape[-2] // 2, stack.shape[-1] // 2)


def shown(x: Tensor) -> Tensor:
    """Photos in [0, 1]."""
    mean, std = (torch.tensor(IMAGENET[k], device=x.device)[:, None, None] for k in ("mean", "std"))
    return (x * std + mean).clamp(0, 1)
