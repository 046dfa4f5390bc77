"""The linear layer that a classifier ends in: where it has fewer features than classes, features are explained instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeGuard

import torch
from torch import Tensor, nn

from ..engine.chunks import chunk_slices
from ..engine.passes import call_model, own
from ..engine.twin import twin
from ..errors import ModelError
from .contest import Rows

Method = Callable[..., Tensor]

ELEMENTS = 2**26
"""Values of all features' maps held at once; beyond it samples go through in smaller groups."""


TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4}
"""Largest error of a map put together from features, as a share of its largest value; 0.02 in lower precision."""


@dataclass(frozen=True)
class Head:
    """The last layer of `model`, by its path.

    Attributes:
        features: the model without it, a private twin.
        layer: the layer; its weight is ``(classes, F)``.
        values: what it is given, ``(B, F)``.
    """

    model: nn.Module
    path: str
    features: nn.Module
    layer: nn.Linear
    values: Tensor

    @property
    def weight(self) -> Tensor:
        return self.layer.weight

    def group(self, inputs: Tensor) -> int:
        """Samples at once, so that their features' maps fit in `ELEMENTS`."""
        return max(1, ELEMENTS // (self.weight.shape[1] * inputs[0].numel()))

    def is_plain_to(self, method: Method, x: Tensor, index: Tensor) -> bool:
        """Whether the method takes the layer for its weights, tried on one image: rules of LRP do not, although a map of
        theirs is linear in its target. The layer is replaced by the difference of two features that work against each
        other, with the largest of its biases."""
        value, (i, j) = self.values[0], self.values[0].abs().topk(2).indices.tolist()
        sign = -float(value[i].sign() * value[j].sign())
        if sign == 0:
            return False
        weight = torch.zeros_like(self.weight)
        weight[:, i], weight[:, j] = 1.0, sign
        probe = own(twin(self.model, {f"{self.path}.weight": weight}))
        c = 0 if self.layer.bias is None else int(self.layer.bias.abs().argmax())
        (found,) = method(probe, x[:1], torch.tensor([[c]], device=x.device), index=index[:1])
        first, second = method(self.features, x[:1], torch.tensor([[i], [j]], device=x.device), index=index[:1])
        error = (found - (first + sign * second)).abs().max()
        return bool(error <= TOLERANCE.get(x.dtype, 0.02) * torch.maximum(first.abs().max(), second.abs().max()))

    def rows(self, maps_of_features: Rows, batch: int, chunk: int) -> Rows:
        """Maps of classes out of the maps of all features: map_c = sum over f of W[c, f] map_f."""
        features = torch.arange(self.weight.shape[1], device=self.weight.device)
        rows = features[:, None].expand(-1, batch)
        maps = torch.cat([maps_of_features(rows[part]) for part in chunk_slices(len(rows), chunk)])
        shape, flat = maps.shape[2:], maps.flatten(2).transpose(0, 1)  # (B, F, N)
        weight = self.weight.to(maps.dtype)

        def of_classes(rows: Tensor) -> Tensor:
            mixed = weight[rows.T] @ flat  # (B, k, F) @ (B, F, N)
            return mixed.transpose(0, 1).reshape(*rows.shape, *shape)

        return of_classes


def linear_head(private: nn.Module, inputs: Tensor, classes: int, rivals: int) -> Head | None:
    """The head of a model whose output is that of one ``nn.Linear`` with fewer features than `rivals`; else None.

    Found by watching a forward of a twin, and proved by another: without the layer the twin must return its input.
    """
    watched = twin(private)
    layers = {p: m for p, m in watched.named_modules() if p and _is_plain(m) and _pays(m, classes, rivals)}
    seen: list[tuple[str, Tensor, Tensor, int]] = []
    for path, layer in layers.items():
        layer.register_forward_hook(partial(_note, seen, path))
    if not layers:
        return None
    with torch.inference_mode(False), torch.no_grad():
        out = call_model(watched, inputs.clone())
        last = [(path, given) for path, given, result, version in seen if result is out and version == out._version]
        if not last:
            return None
        path, given = last[-1]
        features = own(_without(private, path))
        try:
            found = call_model(features, inputs.clone())
        except (ModelError, AttributeError):  # its forward needs more of the layer than the call
            return None
    same = isinstance(found, Tensor) and torch.equal(found, given)
    return Head(private, path, features, layers[path], given) if same else None


def _note(
    seen: list[tuple[str, Tensor, Tensor, int]], path: str, layer: nn.Module, args: tuple[Tensor, ...], out: Tensor
) -> None:
    del layer
    seen.append((path, args[0].clone(), out, out._version))


def _is_plain(module: nn.Module) -> TypeGuard[nn.Linear]:
    """A linear layer as PyTorch wrote it: no subclass, no parametrization, no hook that changes what it gives."""
    return type(module) is nn.Linear and not (module._forward_hooks or module._forward_pre_hooks)


def _pays(module: nn.Linear, classes: int, rivals: int) -> bool:
    return module.out_features == classes and 2 <= module.in_features < rivals


def _without(private: nn.Module, path: str) -> nn.Module:
    bare = twin(private)
    parent, _, name = path.rpartition(".")
    setattr(bare.get_submodule(parent), name, nn.Identity().eval())
    return bare
