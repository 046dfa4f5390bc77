"""Single maps beside captum: with chunks as large as ours, and with its defaults, which take all steps at once."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.methods.integrated_gradients import ROWS as CHUNK

from .networks import RANGE, images, network, targets
from .row import Pair, Row, a_map, close, require

BATCH, STEPS, SIGMA = 8, 50, 0.15
FEW = 1
"""Images of a row on captum's defaults, which takes 50 copies of each at once: of 8 they do not fit into 16 GiB."""

Explain = Callable[[Tensor, Tensor], Tensor]


def _integrated(model: nn.Module, chunk: int | None) -> Explain:
    """chunk: None for its defaults; else rows at once as many as ours."""
    from captum.attr import IntegratedGradients

    chunk = None if chunk is None else CHUNK
    method = IntegratedGradients(model)
    return lambda x, t: method.attribute(x, target=t, n_steps=STEPS, internal_batch_size=chunk, method="riemann_middle")


def _smooth(model: nn.Module, chunk: int | None) -> Explain:
    from captum.attr import NoiseTunnel, Saliency

    tunnel = NoiseTunnel(Saliency(model))
    each = None if chunk is None else 1  # draws at once, of a batch as large as our chunk
    return lambda x, t: tunnel.attribute(
        x, nt_type="smoothgrad", nt_samples=STEPS, nt_samples_batch_size=each, stdevs=SIGMA * RANGE, target=t, abs=False
    )


def _plain(name: str, **options: Any) -> Callable[[nn.Module, int | None], Explain]:
    def made(model: nn.Module, _: int | None) -> Explain:
        from captum import attr

        method = getattr(attr, name)(model)
        return lambda x, t: method.attribute(x, target=t, **options)

    return made


def _same(tolerance: float) -> Callable[[Tensor, Tensor], str]:
    return lambda a, b: close(a, b.detach(), tolerance)


def _alike(a: Tensor, b: Tensor) -> str:
    """Two means over other noise: of one size, and alike."""
    sizes = float(a.norm() / b.norm())
    like = float(torch.corrcoef(torch.stack([a.flatten(), b.detach().flatten()]))[0, 1])
    require(a.shape == b.shape and abs(sizes - 1) < 0.1 and like > 0.2, f"sizes {sizes:.2f}, correlation {like:.2f}")
    return f"other noise: correlation {like:.2f}"


def _complete(a: Tensor, b: Tensor) -> str:
    """captum's DeepLIFT does not sum to the change of score through a maximum, so the maps cannot be equal here: ours
    sums, which `hp.deeplift` itself raises over, and both are equal where the maxima of the network are means."""
    require(a.shape == b.shape and bool(a.isfinite().all()), "shapes or values")
    model, x, t = means(network("vgg16")), images(1), targets(1)
    theirs = METHODS["deeplift"].captum(copy.deepcopy(model), None)(x.clone(), t)
    return f"with means for maxima {close(hp.deeplift(model, x, t), theirs.detach())}"


def means(model: nn.Module) -> nn.Module:
    """A copy with average pooling in place of maxima."""
    model = copy.deepcopy(model)
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(parent, name, nn.AvgPool2d(child.kernel_size, child.stride))
    return model.eval()


@dataclass(frozen=True)
class Method:
    """ours: on (model, images, targets). captum: on a model and the chunk, None for its defaults."""

    ours: Callable[[nn.Module, Tensor, Tensor], Tensor]
    captum: Callable[[nn.Module, int | None], Explain]
    check: Callable[[Tensor, Tensor], str]


METHODS = {
    "gradient": Method(hp.gradient, _plain("Saliency", abs=False), _same(1e-3)),
    "guided_backprop": Method(hp.guided_backprop, _plain("GuidedBackprop"), _same(1e-3)),
    "integrated_gradients": Method(
        lambda m, x, t: hp.integrated_gradients(m, x, t, steps=STEPS), _integrated, _same(1e-2)
    ),
    "smoothgrad": Method(lambda m, x, t: hp.smoothgrad(m, x, t, n=STEPS, sigma=SIGMA), _smooth, _alike),
    "deeplift": Method(hp.deeplift, _plain("DeepLift"), _complete),
    "lrp": Method(lambda m, x, t: hp.lrp(m, x, t, epsilon=1e-9), _plain("LRP"), _same(1e-2)),
}


def _pair(name: str, method: str, batch: int = BATCH, chunk: int | None = BATCH) -> Pair:
    model, x, t, way = network(name), images(batch), targets(batch), METHODS[method]
    theirs = way.captum(copy.deepcopy(model), chunk)  # it hooks the model
    return Pair(lambda: way.ours(model, x, t), lambda: theirs(x.clone(), t), way.check)


def _row(name: str, method: str, minutes: float) -> Row:
    what, against = f"{method}, {name}, batch {BATCH}", f"captum, chunks of {BATCH}"
    return Row(f"map/{name}/{method}", what, against, lambda: _pair(name, method), 1.0, 1.1, minutes)


def _refused(name: str, method: str) -> Row:
    what = f"{method}, {name}, batch {BATCH}"
    return Row(f"map/{name}/{method}", what, "captum", lambda: _alone(_pair(name, method)))


def _alone(pair: Pair) -> Pair:
    """Nothing to compare ours with, so that it is looked at by itself."""

    def ours() -> Tensor:
        maps: Tensor = pair.ours()
        a_map(maps)
        return maps

    return Pair(ours, pair.theirs, pair.check)


def _default(name: str, method: str, minutes: float) -> Row:
    return Row(
        f"map/{name}/{method}/default", f"{method}, {name}, batch {FEW}", f"captum's defaults: all {STEPS} steps at once",
        lambda: _pair(name, method, FEW, None), 1.0, 0.2, minutes,
    )  # fmt: skip


ROWS = (
    _row("resnet18", "gradient", 0.3),
    _row("resnet18", "guided_backprop", 0.4),
    _row("resnet18", "integrated_gradients", 2.5),
    _row("resnet18", "smoothgrad", 2.5),
    _default("resnet18", "integrated_gradients", 0.8),
    _default("resnet18", "smoothgrad", 0.8),
    _refused("resnet18", "deeplift"),
    _refused("resnet18", "lrp"),
    _row("vgg16", "gradient", 0.8),
    _row("vgg16", "guided_backprop", 0.8),
    _row("vgg16", "deeplift", 1.5),
    _row("vgg16", "lrp", 1.5),
)
