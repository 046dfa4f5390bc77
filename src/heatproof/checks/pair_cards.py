"""What the cards of networks that `train_pair` made say of a pair, where it can no longer be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Card = Mapping[str, Any]
SAME_START = "that all networks started from the same weights and saw the images in the same order"


def said_accuracy(card: Card) -> float | None:
    """The training accuracy on the network's own labels, in [0, 1]; None where the card says nothing of it."""
    value = card.get("train_accuracy")
    return float(value) if _recipe(card) and isinstance(value, (int, float)) else None


def unknown_start(cards: Sequence[Card]) -> tuple[str, ...]:
    """The condition that no accuracy shows, unless all cards have one recipe (first weights, images, their order)."""
    recipes = [_recipe(card) for card in cards]
    if not recipes or not all(recipes):
        return (SAME_START,)
    keys = {key for recipe in recipes for key in recipe}
    if other := sorted(key for key in keys if any(r.get(key) != recipes[0].get(key) for r in recipes)):
        return (f"{SAME_START} (their cards differ in {', '.join(other)})",)
    return ()


def _recipe(card: Card) -> dict[str, Any]:
    """What the training followed from, without the limit on epochs, which changes no step; empty where it is not said."""
    held = card.get("recipe")
    return {k: v for k, v in held.items() if k != "epochs"} if isinstance(held, Mapping) else {}
