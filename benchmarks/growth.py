"""How the cost of an audit grows with images, blocks and pixels, and that of a competition with its classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from torch import Tensor, nn

import heatproof as hp
from heatproof.checks.blocks import Block

from .networks import images, small
from .row import Growth, Row, require

LINEAR, FLAT = 1.1, 1.2
METHODS = ("gradient", "guided_backprop", "gradcam")
FEW, SIDE = 8, 32


def _audit(model: nn.Module, x: Tensor, blocks: Sequence[Block] | None = None) -> pd.DataFrame:
    with TemporaryDirectory() as folder:
        return hp.audit(model, x, methods=METHODS, seeds=1, faithfulness=False, blocks=blocks, out=folder).table


def _finite(table: pd.DataFrame) -> str:
    require(not (table["status"] == "failed").any(), "a method failed")
    return f"{len(table)} values"


def _images() -> Growth:
    model = small()
    return Growth({n: lambda n=n: _audit(model, images(n, SIDE)) for n in (8, 32, 128)}, _finite)  # type: ignore[misc]


def _pixels() -> Growth:
    model = small(pooled=2)
    sides = (32, 64, 128)
    return Growth({n * n: lambda n=n: _audit(model, images(FEW, n)) for n in sides}, _finite)  # type: ignore[misc]


def _blocks() -> Growth:
    """One network of 64 convolutions, cut into more and more blocks, of which each is a stage of the cascade."""
    model, x = small(width=8, depth=64, pooled=1), images(FEW, SIDE)
    return Growth({n: lambda n=n: _audit(model, x, _cut(model, n)) for n in (4, 16, 64)}, _finite)  # type: ignore[misc]


def _cut(model: nn.Module, count: int) -> list[Block]:
    """Blocks of equally many convolutions with their batch norms; the last has the linear layer as well."""
    layers = [i for i, layer in enumerate(model.children()) if isinstance(layer, nn.Conv2d)]
    held: dict[int, list[str]] = {}
    for name in model.state_dict():
        place = max(k for k, first in enumerate(layers) if first <= int(name.partition(".")[0]))
        held.setdefault(place * count // len(layers), []).append(name)
    return [Block(f"block {k}", tuple(names)) for k, names in held.items()]


def _classes() -> Growth:
    x = images(1, 64)

    def call(count: int) -> Callable[[], Any]:
        model = small(width=32, classes=count)
        return lambda: hp.cgi(model, x, shortcut=False)

    def check(found: Tensor) -> str:
        kept = float((found != 0).float().mean())
        require(math.isfinite(kept) and 0 < kept < 1, f"{kept:.1%} of the values kept")
        return f"{kept:.1%} of the values kept"

    return Growth({n: call(n) for n in (64, 256, 1024)}, check)


def _row(id: str, what: str, make: Callable[[], Growth], minutes: float, memory: float | None = None) -> Row:
    return Row(f"growth/{id}", what, "itself, 16 times larger", make, LINEAR, memory, minutes)


ROWS = (
    _row("images", "audit of a small network, 8 to 128 images", _images, 0.8),
    _row("blocks", "audit of 64 convolutions, 4 to 64 stages", _blocks, 0.8),
    _row("pixels", "audit of a small network, 32 to 128 px a side", _pixels, 0.7),
    _row("classes", "CGI of a small network, 64 to 1024 classes", _classes, 0.7, FLAT),
)
