"""Data, networks and maps of a remove-and-retrain run, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..checks.unseen import check_unseen
from ..errors import InputError
from ..models.factory import brought, fresh
from ..training.options import check_data
from ..training.trial import check_fits

Data = tuple[Tensor, Tensor]
"""Pixels ``(N, C, H, W)`` in the model's units, targets int64 ``(N,)``."""


def check_sets(train: Data, test: Data) -> None:
    """Raise `InputError` unless both are images of one shape with classes, and the test images are new."""
    for what, (pixels, targets) in (("train", train), ("test", test)):
        check_data(pixels, targets)
        if pixels.dim() != 4 or pixels.dtype != torch.float32 or not pixels.isfinite().all():
            raise InputError(
                f"{what} pixels are {pixels.dtype} {tuple(pixels.shape)}; expected finite float32 (N, C, H, W) in the "
                "model's units"
            )
    if train[0].shape[1:] != test[0].shape[1:]:
        raise InputError(f"train images are {tuple(train[0].shape[1:])} and test images {tuple(test[0].shape[1:])}")
    if bool((train[1] == train[1][0]).all()):
        raise InputError(f"all train targets are {int(train[1][0])}; expected at least two classes to tell apart")
    check_unseen(train[0], test[0], "roar(test)")


def first_network(factory: Callable[[], nn.Module], train: Data, test: Data) -> nn.Module:
    """A random network of the factory; `InputError` where it brings weights of its own or does not fit the data."""
    first = fresh(factory, 0)
    if names := brought(first, fresh(factory, 1)):
        raise InputError(
            f"factory= brings its own weights ({names[0]}, {len(names)} in all), so that its networks know the removed "
            "pixels already; expected random weights that follow torch's global seed (pretrained=False)"
        )
    for what, (pixels, targets) in (("train", train), ("test", test)):
        check_fits(first, pixels, targets, f"roar({what})")
    return first


def float_maps(maps: Mapping[str, Any], train: Data, test: Data) -> dict[str, tuple[Tensor, Tensor]]:
    """Precomputed maps as floating-point tensors; `InputError` unless every entry has one for each image."""
    found = {}
    for name, pair in maps.items():
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise InputError(f"maps[{name!r}] is a {type(pair).__name__}; expected a pair: of train and of test images")
        found[name] = (_float_map(f"{name!r}] of the train", pair[0], train[0]),
                       _float_map(f"{name!r}] of the test", pair[1], test[0]))  # fmt: skip
    return found


def _float_map(what: str, given: Any, pixels: Tensor) -> Tensor:
    try:
        found = torch.as_tensor(given).detach()
    except (TypeError, ValueError, RuntimeError):
        found = None
    if found is None or found.is_complex():
        got = type(given).__name__ if found is None else found.dtype
        raise InputError(f"maps[{what} images are {got}; expected a tensor or array of real numbers")
    allowed = [(len(pixels), c, *pixels.shape[2:]) for c in (1, pixels.shape[1])]
    if tuple(found.shape) not in allowed:
        raise InputError(f"maps[{what} images are {tuple(found.shape)}; expected {allowed[0]} or {allowed[1]}")
    if found.is_floating_point():
        return found if found.element_size() > 2 else found.float()
    return found.to(torch.float64 if found.element_size() > 2 else torch.float32)  # which hold them exactly
