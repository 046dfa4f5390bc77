"""What type each setting of remove and retrain is of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Real
from os import PathLike
from typing import Any

import torch

from ..errors import InputError


def check_types(settings: object) -> None:
    """Raise `InputError` with the name of the first setting that is of another type."""
    for name, (fits, expected) in WANTED.items():
        if not fits(value := getattr(settings, name)):
            raise InputError(f"{name}={value!r}; expected {expected}")


def _each(kind: type) -> Callable[[Any], bool]:
    return lambda value: hasattr(value, "__iter__") and all(isinstance(item, kind) for item in value)


def _one(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds)


WANTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "factory": (callable, "a function that makes a network: factory=MyNetwork"),
    "maps": (_one(Mapping, type(None)), "a dict of a name to (maps of train, maps of test images), or None"),
    "fractions": (_each(Real), "a tuple of rising numbers over 0 and under 1, such as (0.1, 0.5, 0.9)"),
    "controls": (_each(str), "a tuple such as ('random', 'edge'); () for none"),
    "directions": (_each(str), "a tuple such as ('roar',)"),
    "rank": (_one(str), "a text such as 'abs'"),
    "device": (_one(str, torch.device), "a text such as 'auto', 'cpu' or 'cuda'"),
    "seed": (lambda value: type(value) is int and value >= 0, "a whole number of at least 0"),
    "out": (_one(str, PathLike, type(None)), "a folder, or None"),
    "about": (_one(Mapping, type(None)), "a dict of what the report prints, or None"),
}
