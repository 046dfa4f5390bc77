"""Passes that several methods, or one method many times, share within a job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

if TYPE_CHECKING:
    from .passes import Pass


@dataclass
class Sharing:
    """Passes kept while a job explains one batch by several methods: those on that batch, never those on the noisy or
    interpolated copies that a method makes of it, whose graphs would pile up."""

    inputs: Tensor
    places: dict[str, frozenset[str]]
    keep_gradients: bool
    unplanned: bool
    kept: dict[tuple[Any, ...], Pass] = field(default_factory=dict)
    alive: list[nn.Module] = field(default_factory=list)

    def plans(self, inputs: Tensor, places: dict[str, frozenset[str]]) -> bool:
        """Whether this is of the same batch, and holds all these places."""
        return self.inputs is inputs and all(places[name] <= self.places.get(name, frozenset()) for name in places)


SHARING: ContextVar[Sharing | None] = ContextVar("heatproof_sharing", default=None)


@contextmanager
def shared_passes(
    needs: Iterable[tuple[str, str]], inputs: Tensor, *, keep_gradients: bool = True, unplanned: bool = False
) -> Iterator[None]:
    """Within: each distinct pass of a model over `inputs` runs once, with all the places in `needs`; one inside another on
    the same batch joins it, where that has them all.

    Args:
        keep_gradients: keep its gradients too; False where there are too many (a thousand classes, each asked for once).
        unplanned: share also what `needs` does not name: plain passes, and those under rules with equal `RuleSet.key`.
    """
    places: dict[str, frozenset[str]] = {}
    for rules, place in needs:
        places[rules] = places.get(rules, frozenset()) | {place}
    outer = SHARING.get()
    if outer is not None and outer.plans(inputs, places) and outer.keep_gradients == keep_gradients and not unplanned:
        yield
        return
    token = SHARING.set(Sharing(inputs, places, keep_gradients, unplanned))
    try:
        yield
    finally:
        SHARING.reset(token)
