"""The trained network behind ``heatproof demo``: about a minute on two cores, kept for the next time."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ... import train as trainer
from ...data import digits
from ...errors import HeatproofError, WeightsError
from ...training import evaluate, loop, noise, optimiser, options
from . import small_cnn

TEST_SCENES = 2000
REQUIRED = 0.97
CODE = (digits, small_cnn, trainer, evaluate, loop, noise, optimiser, options)
"""The modules that the weights and their accuracy follow from."""


@dataclass(frozen=True)
class Recipe:
    """What the weights follow from, besides the code. Scenes are drawn in parts, each with a seed of its own.

    Drawing a new scene takes a tenth of the time of learning from it, so there are many scenes and few epochs.
    """

    parts: int = 20
    part: int = 2000
    epochs: int = 2
    batch: int = 64
    lr: float = 0.01
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    weight_decay: float = 0.05
    seed: int = 0


def demo_network(
    cache: Path | None, seed: int = 0, progress: trainer.Progress | None = None
) -> tuple[small_cnn.SmallCNN, dict[str, Any]]:
    """A `SmallCNN` trained on `digit_scenes`, in evaluation mode, and its card. Takes ``(B, 3, 48, 48)`` in [0, 1].

    Args:
        cache: file to keep the weights in (.safetensors); they are used again where its card names the same recipe and
            code, and trained anew where it names another. None keeps nothing.
        seed: of the scenes, of the first weights and of the order of the data.
        progress: called with steps done, steps in all (drawing scenes included) and a line of text.

    Returns:
        The model, and the card: data, accuracy on 2000 unseen scenes, seed, epochs, seconds, and how it was trained.

    Raises:
        HeatproofError: the accuracy is under 97 %, or scikit-learn is not installed.
        WeightsError: the cached file is damaged, or is no file of this function.
    """
    recipe = Recipe(seed=seed)
    model = trainer.seeded(small_cnn.SmallCNN, seed)
    if cache is not None and _made_by(cache) == _digest(recipe):
        return model.eval(), trainer.load_network(cache, model)
    card = _trained(model, recipe, progress)
    if card["accuracy"] < REQUIRED:
        raise HeatproofError(
            f"demo_network(seed={seed}): the network reached {card['accuracy']:.1%} on {TEST_SCENES} unseen scenes, and "
            f"{REQUIRED:.0%} is required for maps worth looking at; try another seed"
        )
    if cache is not None:
        trainer.save_network(cache, model, card)
    return model, card


def _trained(model: small_cnn.SmallCNN, recipe: Recipe, progress: trainer.Progress | None) -> dict[str, Any]:
    """Train the model in place; what is known of it afterwards."""
    report = progress or (lambda done, total, info: None)
    steps = recipe.epochs * -(-recipe.parts * recipe.part // recipe.batch)
    pixels, targets = _scenes(recipe, lambda done: report(done, recipe.parts + steps, "drawing scenes"))
    training = trainer.train(
        model,
        pixels,
        targets,
        epochs=recipe.epochs,
        batch=recipe.batch,
        lr=recipe.lr,
        optimizer=recipe.optimizer,
        weight_decay=recipe.weight_decay,
        seed=recipe.seed,
        augment=lambda x, generator: x.float() / 255,
        progress=lambda done, total, info: report(recipe.parts + done, recipe.parts + total, info),
    )
    test = digits.digit_scenes("test", TEST_SCENES, recipe.seed)
    return {
        **training.card,
        "data": f"digit_scenes: {len(pixels)} to train, {TEST_SCENES} unseen to test",
        "accuracy": trainer.accuracy(model, test.pixels, test.targets),
        "recipe": _digest(recipe),
    }


def _scenes(recipe: Recipe, done: Callable[[int], object]) -> tuple[Tensor, Tensor]:
    """All training scenes, as bytes: a quarter of the memory."""
    pixels, targets = [], []
    for index in range(recipe.parts):
        scenes = digits.digit_scenes("train", recipe.part, recipe.seed * recipe.parts + index)
        pixels.append((scenes.pixels * 255).round().byte())
        targets.append(scenes.targets)
        done(index + 1)
    return torch.cat(pixels), torch.cat(targets)


def _made_by(cache: Path) -> str | None:
    """The recipe that a cached file names; None where there is no file."""
    if not Path(cache).exists():
        return None
    card = trainer.read_card(cache)
    if "recipe" not in card:
        raise WeightsError(f"demo_network(cache={str(cache)!r}): this file was not made by it; name another file")
    return str(card["recipe"])


def _digest(recipe: Recipe) -> str:
    """Names the recipe and the code that follows it, so that a change of either trains anew."""
    code = [inspect.getsource(module) for module in CODE]
    return hashlib.sha256("\n".join([json.dumps(asdict(recipe)), *code]).encode()).hexdigest()[:12]
