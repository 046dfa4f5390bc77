"""What LRP remembers of a value until it knows what stands behind it: a network may spell one layer as several calls.

A scale, shift or batch norm behind a layer is part of it, and a sum behind a product with constants is a layer itself;
copies and views in between change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from ..engine.interpose import Call
from ..engine.ops import is_in_place
from ..errors import EscapedOp
from .lrp_calls import PRODUCTS, QUOTIENTS, View, as_view
from .lrp_layer import Layer, LayerRule, Shares
from .lrp_replay import Product
from .lrp_weights import with_factors
from .redirect import arguments

Fact = TypeVar("Fact")


class Memory(Generic[Fact]):
    """A fact about each value of the network, until the value is written to, and the views between the two."""

    def __init__(self) -> None:
        self._facts: Any = WeakIdKeyDictionary()

    def put(self, value: Tensor, fact: Fact, views: tuple[View, ...] = ()) -> None:
        self._facts[value] = (value._version, fact, views)

    def of(self, value: Tensor) -> tuple[Fact, tuple[View, ...]] | None:
        version, fact, views = self._facts.get(value, (None, None, ()))
        return (fact, views) if version == value._version else None

    def pass_on(self, found: tuple[Fact, tuple[View, ...]], results: list[Tensor], call: Call) -> None:
        """What is known of a value holds for the results of a view of it."""
        fact, views = found
        for index, result in enumerate(results):
            self.put(result, fact, (*views, as_view(call, index)))


@dataclass(frozen=True)
class Summed:
    """The output of a layer as it is before any rule: with its graph, apart by sign where its rule needs that."""

    whole: Tensor
    shares: Shares | None
    rule: LayerRule | None
    version: int

    @property
    def fresh(self) -> bool:
        return self.whole._version == self.version

    def seen(self, views: tuple[View, ...]) -> tuple[Tensor, Shares | None] | None:
        """Both through the views; None where the output is overwritten, and no rule but epsilon is lost by that."""
        if not self.fresh:
            if self.rule is None:
                return None
            raise EscapedOp(
                "the output of a layer is written to in place while a copy of it is scaled, shifted or normalised, so that "
                "LRP cannot count this as part of the layer; use the ordinary operation, or rule='epsilon'"
            )
        whole, shares = self.whole, self.shares
        for view in views:
            whole, shares = view(whole), shares.viewed(view) if shares else None
        return whole, shares


@dataclass(frozen=True)
class Spread:
    """An input times constants, element by element: a sum over it is a weighted sum. Lost: with another constant behind."""

    x: Tensor
    weight: Tensor
    product: Product
    version: int
    lost: bool = False

    @property
    def uniform(self) -> bool:
        return bool((self.weight == self.weight.flatten()[0]).all())

    def layer(self, add: Call, views: tuple[View, ...]) -> Layer | None:
        """The sum `add` over the views of this as a layer; None where the terms of each sum have one weight."""
        views = (*views, as_view(add, 0))

        def product(x: Tensor, weight: Tensor) -> Tensor:
            out = self.product(x, weight)
            for view in views:
                out = view(out)
            return out

        if self._even(add, views[:-1]):
            return None
        if self.lost:
            raise EscapedOp(
                f"{add} adds up products with weights that were scaled, shifted or negated in between, which the rules of "
                "LRP cannot read as a linear layer; write it as one, or use rule='epsilon'"
            )
        if self.x._version != self.version:
            raise EscapedOp(f"{add} adds up products whose factor was written to in place; use the ordinary operation")
        return Layer(self.x, self.weight, None, product)

    def _even(self, add: Call, views: tuple[View, ...]) -> bool:
        weights = self.product(torch.ones_like(self.x), self.weight).detach()
        for view in views:
            weights = view(weights)
        given = arguments(add, "input", "dim")
        dims = given.get("dim", given.get("axis"))
        dims = () if dims is None else dims
        return torch.equal(weights.amax(dims), weights.amin(dims))


def spread_of(call: Call, x: Tensor) -> Spread | None:
    """To be asked before the call runs: in place, it overwrites `x`."""
    given = list(call.tensors())
    if len(given) != 2 or call.op not in PRODUCTS | QUOTIENTS | {"einsum"}:
        return None
    weight = given[1] if given[0] is x else given[0]
    x = x.clone() if is_in_place(call.function) else x
    if call.op == "einsum":
        return Spread(x, weight, with_factors(call, x, weight), x._version)
    return Spread(x, 1 / weight if call.op in QUOTIENTS else weight, torch.mul, x._version)
