"""Training a network and its twins on permuted labels, kept and resumed in a folder."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from ..errors import InputError, RunError
from ..models.factory import fresh, own_weights
from ..models.weights import state_sha256
from ..progress import Auto, checked, epochs_bar, shown
from ..train import Progress, has_bf16, load_network, read_card, save_network, train
from ..training.options import usable
from ..training.trial import check_fits
from .gates import TRAINED, check_data, judged, predictions
from .pair import Pair, accuracy, measured, permuted
from .pair_folder import NETWORK, RECIPE, UNFINISHED, Recipe, claim, digest
from .unseen import check_unseen


def train_pair(
    factory: Callable[[], nn.Module],
    pixels: Tensor,
    targets: Tensor,
    test_pixels: Tensor,
    test_targets: Tensor,
    folder: str | Path,
    *,
    epochs: int = 300,
    batch: int = 128,
    lr: float = 3e-4,
    until: float = 0.98,
    weight_decay: float = 0.0,
    decayed: Collection[str] | None = None,
    seed: int = 0,
    permutations: int = 1,
    device: str = "cpu",
    bf16: bool | Literal["auto"] = "auto",
    dataset: str = "",
    progress: Progress | Auto = "auto",
) -> Pair:
    """Train one network on the true labels and one on each permutation: only the labels differ.

    All start from the same weights and see the images in the same order, under Adam at a constant rate, until the training
    accuracy reaches `until`. What is finished in `folder` is read, what was interrupted goes on, and so does, with more
    epochs, what did not reach `until`.

    Source: Adebayo et al. 2018, section 4 and appendix B; deviations: no weight decay by default, for either network (the
    authors' penalty works against the memorisation that the check rests on, and a penalty for one network alone would be a
    second difference); training ends at an accuracy and not after 100 epochs; accuracies are gates.

    Args:
        factory: makes the network with random weights.
        pixels, targets: training images ``(N, ...)`` in model units, and their true classes, int64 ``(N,)``.
        test_pixels, test_targets: images that are not trained on.
        folder: keeps the networks (safetensors, each with a card) and the state of an unfinished training.
        epochs: the most passes over the data; at least those that a network in `folder` has made.
        batch, lr, weight_decay, decayed, bf16: as in `heatproof.train.train`, the same for all networks.
        until: training accuracy in evaluation mode at which training ends, over 0.95.
        seed: of first weights, order of the images, and permutations.
        permutations: how many permuted networks.
        dataset: its name, for the cards.
        progress: "auto" shows epochs and time in a terminal or a notebook, False nothing; or a function, called with
            (steps done, steps at most, a word on them).

    Returns:
        The networks, in evaluation mode, and their gates; gates["concluded"] is False where one does not hold.

    Raises:
        InputError: data or options that cannot be used or do not fit the network, test images that are trained on, or a
            factory that brings its own weights.
        RunError: the folder holds networks of other arguments.
    """
    checked(progress)
    check_data(pixels, targets, "train_pair(train)")
    check_data(test_pixels, test_targets, "train_pair(test)")
    where = usable(device, "train_pair")
    first = _first(factory, seed, until, permutations)
    check_fits(first, pixels, targets, "train_pair(train)")
    check_fits(first, test_pixels, test_targets, "train_pair(test)")
    check_unseen(pixels, test_pixels, "train_pair")
    names, fast = None if decayed is None else sorted(decayed), has_bf16(where) if bf16 == "auto" else bf16
    hashes = state_sha256(first), digest(pixels, targets), digest(test_pixels, test_targets)
    recipe = Recipe(*hashes, epochs, batch, lr, until, weight_decay, names, seed, str(where), fast)
    plan = _Plan(factory, pixels, Path(folder), recipe)
    claim(plan.folder, plan.recipe, FREE)
    seeds = [seed * 1000 + number for number in range(permutations)]
    labels = [targets, *(permuted(targets, one) for one in seeds)]
    networks: list[nn.Module] = []
    with shown(progress, "training on true and on permuted labels", epochs_bar) as step:
        for place, own in enumerate(labels):
            name = f"permuted-{place}" if place else "true"
            facts: dict[str, Any] = {"dataset": dataset, "labels": name, "true_labels_left": accuracy(own, targets)}
            facts["permutation_seed"] = seeds[place - 1] if place else None
            told = None if step is None else partial(told_of_all, step, place, len(labels), f"{name} labels")
            networks.append(_network(plan, own, (test_pixels, test_targets), facts, told))
    gates = judged(measured(networks, pixels, labels, test_pixels, test_targets))
    gates["true_labels_left"] = [accuracy(own, targets) for own in labels[1:]]
    return Pair(networks[0], tuple(networks[1:]), gates)


FREE = ("epochs",)
"""What another call in the same folder may change: at a constant rate the limit on epochs changes no step."""


@dataclass(frozen=True)
class _Plan:
    """What the networks of a pair have in common."""

    factory: Callable[[], nn.Module]
    pixels: Tensor
    folder: Path
    recipe: Recipe


def _network(
    plan: _Plan, targets: Tensor, test: tuple[Tensor, Tensor], facts: dict[str, Any], progress: Progress | None
) -> nn.Module:
    """One network of the pair, read from the folder or trained."""
    recipe, model = plan.recipe, fresh(plan.factory, plan.recipe.seed)
    path, state = (plan.folder / f"{facts['labels']}{end}" for end in (NETWORK, UNFINISHED))
    if path.exists() and _finished(path, recipe):
        load_network(path, model)
        return model.to(recipe.device).eval()
    done = train(
        model,
        plan.pixels,
        targets,
        epochs=recipe.epochs,
        batch=recipe.batch,
        lr=recipe.lr,
        weight_decay=recipe.weight_decay,
        decayed=recipe.decayed,
        schedule=None,
        seed=recipe.seed,
        device=recipe.device,
        bf16=recipe.bf16,
        until=recipe.until,
        checkpoint=state,
        progress=progress,
    )
    on_test = {"test_images": len(test[1]), "test_accuracy": accuracy(predictions(model, test[0]), test[1])}
    save_network(path, model, {**done.card, **facts, **on_test, "recipe": asdict(recipe)})
    if done.card["train_accuracy"] >= recipe.until:  # else the state stays, to go on from with more epochs
        state.unlink(missing_ok=True)
    return model


def _finished(path: Path, recipe: Recipe) -> bool:
    """Whether a network is all that this recipe makes of it, and not to be trained for more epochs.

    Raises:
        RunError: it is of another recipe, or has been trained for more epochs than are asked for.
    """
    card = read_card(path)
    if recipe.differs(card.get("recipe") or {}, FREE):
        raise RunError(f"{path} is not of the training that {RECIPE} beside it describes; delete it to train it again")
    if (done := card["epochs"]) > recipe.epochs:
        raise RunError(
            f"{path} was trained for {done} epochs, and at most {recipe.epochs} are asked for; ask for {done} or more, or "
            "delete it to train it again"
        )
    return bool(done == recipe.epochs or card["train_accuracy"] >= recipe.until)


def _first(factory: Callable[[], nn.Module], seed: int, until: float, permutations: int) -> nn.Module:
    """The network before its training, whose weights must be random."""
    if not TRAINED < until <= 1 or permutations < 1:
        raise InputError(
            f"train_pair(until={until}, permutations={permutations}): expected an accuracy over {TRAINED}, up to 1 (the "
            "gate is there), and at least one permutation"
        )
    first = fresh(factory, seed)
    if own_weights(first, fresh(factory, seed + 1)):
        raise InputError(
            "train_pair: the factory brings its own weights, the same under two seeds, which may know the true labels; "
            "give one that makes the network with random weights"
        )
    return first


def told_of_all(progress: Progress, place: int, networks: int, name: str, done: int, total: int, info: str) -> None:
    """Progress over all networks, each counted with the most steps that it may take."""
    progress(place * total + done, networks * total, f"{name}: {info}")
