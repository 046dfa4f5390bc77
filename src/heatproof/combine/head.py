"""The linear layer that a classifier ends in: where it has fewer features than classes, features are explained instead."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TypeGuard

import torch
from torch import Tensor, nn

from ..engine.chunks import chunk_slices
from ..engine.model import call_model, own
from ..engine.pullback import GROUP, together
from ..engine.twin import twin
from ..errors import ModelError
from .contest import Rows

ELEMENTS = 2**26
"""Values of all features' maps held at once; beyond it samples go through in smaller groups."""

ROWS = 64
"""Classes in one product with the weights."""


@dataclass(frozen=True)
class Head:
    """The last layer of a model: its weight, ``(classes, F)``, and the model without it, a private twin."""

    features: nn.Module
    weight: Tensor

    def group(self, inputs: Tensor) -> int:
        """Samples at once, so that their features' maps fit in `ELEMENTS`."""
        return max(1, ELEMENTS // (self.weight.shape[1] * inputs[0].numel()))

    def rows(self, maps_of_features: Rows, batch: int, chunk: int) -> Rows:
        """Maps of classes out of the maps of all features: map_c = sum over f of W[c, f] map_f.

        A product rounds each row by its place in it. So every class has a fixed place in a fixed product, whatever is
        asked for beside it, and classes of equal weights have one place, or they would beat each other.
        """
        features = torch.arange(self.weight.shape[1], device=self.weight.device)
        rows = features[:, None].expand(-1, batch)
        whole = max(GROUP, chunk - chunk % GROUP)  # so that a feature's place in a pass does not hang on the chunk
        with together():
            maps = torch.cat([maps_of_features(rows[part]) for part in chunk_slices(len(rows), whole)])
        shape, flat = maps.shape[2:], maps.flatten(2).transpose(0, 1)  # (B, F, N)
        weight, first = self.weight.to(maps.dtype), first_alike(self.weight)

        def of_classes(rows: Tensor) -> Tensor:
            wanted = first[rows]
            found = flat.new_empty(*rows.shape, flat.shape[2])
            for start in sorted({c - c % ROWS for c in wanted.flatten().tolist()}):
                k, sample = ((wanted >= start) & (wanted < start + ROWS)).nonzero(as_tuple=True)
                mixed = weight[start : start + ROWS].repeat(len(flat), 1, 1) @ flat  # (B, k, F) @ (B, F, N)
                found[k, sample] = mixed[sample, wanted[k, sample] - start]
            return found.reshape(*rows.shape, *shape)

        return of_classes


def first_alike(weight: Tensor) -> Tensor:
    """For each class the first one with the same weights. ``(classes, F) -> (classes,)`` int64."""
    seen: dict[bytes, int] = {}
    rows = weight.detach().cpu().double().numpy()
    return torch.tensor([seen.setdefault(row.tobytes(), c) for c, row in enumerate(rows)], device=weight.device)


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
    return Head(features, layers[path].weight) if same else None


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
