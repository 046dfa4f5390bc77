"""A network and its twins that were trained on permuted labels: trained here, or brought by the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..engine.chunks import generator, whole_seed
from ..errors import InputError
from ..training.trial import check_fits
from .gates import Gate, above_chance, at_chance, check_data, judged, predictions, trained
from .pair_cards import Card, said_accuracy, unknown_start
from .unseen import check_unseen


@dataclass(frozen=True)
class Pair:
    """Networks that differ in their labels only.

    Attributes:
        true: trained on the true labels; in evaluation mode, as the others.
        permuted: one for each permutation of the labels.
        gates: `gates.judged`, ready for JSON: gates (name, value, rule, limit, holds), concluded, why, not_measured, and
            for networks trained here true_labels_left: the share of labels that each permutation left true by chance.
    """

    true: nn.Module
    permuted: tuple[nn.Module, ...]
    gates: dict[str, Any]


def permuted(targets: Tensor, seed: int) -> Tensor:
    """The labels in another order: class counts stay, and each label stays true with probability sum_c p_c^2. ``(N,)``.

    Source: Adebayo et al. 2018, section 4 (a permutation, not a redraw); deviations: none.

    Args:
        targets: any labels ``(N,)``.
        seed: of the permutation, which depends on nothing else but N.

    Example:
        >>> permuted(torch.tensor([0, 0, 1, 1, 2]), seed=0).sort().values
        tensor([0, 0, 1, 1, 2])
    """
    order = torch.randperm(len(targets), generator=generator("permuted labels", whole_seed(seed)))
    return targets[order.to(targets.device)]


def user_pair(
    true: nn.Module,
    permuted_networks: Sequence[nn.Module],
    test_pixels: Tensor,
    test_targets: Tensor,
    train: tuple[Tensor, Tensor] | None = None,
    permuted_targets: Sequence[Tensor] | None = None,
    cards: Sequence[Card] = (),
) -> Pair:
    """A pair from checkpoints of the user; what can be measured is, what cannot is listed in its gates.

    Args:
        true: trained on the true labels, in evaluation mode, as all others.
        permuted_networks: of the same architecture, each trained on permuted labels.
        test_pixels, test_targets: images that none of them was trained on, ``(N, ...)`` and int64 ``(N,)``.
        train: images and true labels of the training, where they are at hand.
        permuted_targets: the labels that each permuted network was trained on, in the order of these images.
        cards: of the true and each permuted network (`heatproof.train.read_card`; {} where there is none): what those of
            `train_pair` say of the training need not be measured.

    Raises:
        InputError: no permuted network, two with identical weights or of unlike architecture, images or targets that do
            not fit, or test images that were trained on.
    """
    check_data(test_pixels, test_targets, "user_pair(test)")
    pair = Pair(true, tuple(permuted_networks), {})
    check_pair(pair)
    networks = (true, *permuted_networks)
    if cards and len(cards) != len(networks):
        raise InputError(
            f"user_pair: {len(cards)} cards for {len(networks)} networks; give one each, the true one first"
        )
    check_fits(true, test_pixels, test_targets, "user_pair(test)")
    labels = _training_labels(len(networks), train, permuted_targets)
    pixels = None if train is None else train[0]
    if pixels is not None:
        check_unseen(pixels, test_pixels, "user_pair")
    found = measured(networks, pixels, labels, test_pixels, test_targets, [said_accuracy(card) for card in cards])
    return replace(pair, gates=judged(found, unknown_start(cards)))


def measured(
    networks: Sequence[nn.Module],
    pixels: Tensor | None,
    labels: Sequence[Tensor | None],
    test_pixels: Tensor,
    test_targets: Tensor,
    said: Sequence[float | None] = (),
) -> list[Gate]:
    """The gates of a true network and its permuted twins; where labels are None, training accuracies are what is `said`."""
    gates: list[Gate] = []
    for place, (network, own) in enumerate(zip(networks, labels, strict=True)):
        whose = f"permuted network {place}" if place else "true network"
        which = "its permuted labels" if place else "the true labels"
        if pixels is None or own is None:
            fitted = said[place] if said else None
            which += "" if fitted is None else " (by its card)"
        else:
            fitted = accuracy(predictions(network, pixels), own)
        gates.append(trained(whose, which, fitted))
        on_test = predictions(network, test_pixels)
        gates.append((at_chance if place else above_chance)(whose, on_test, test_targets))
    return gates


def accuracy(predicted: Tensor, targets: Tensor) -> float:
    """Share of predictions that are right, in [0, 1]. ``(N,), (N,)``."""
    return float((predicted.cpu() == targets.cpu()).double().mean())


def _training_labels(
    count: int, train: tuple[Tensor, Tensor] | None, permuted_targets: Sequence[Tensor] | None
) -> list[Tensor | None]:
    if train is None:
        if permuted_targets is not None:
            raise InputError(
                "user_pair(permuted_targets=...) without train=(pixels, targets): which images are they of?"
            )
        return [None] * count
    if permuted_targets is not None and len(permuted_targets) != count - 1:
        raise InputError(f"user_pair: {len(permuted_targets)} permuted_targets for {count - 1} permuted networks")
    for labels in (train[1], *(permuted_targets or ())):
        check_data(train[0], labels, "user_pair(train)")
    unknown: list[Tensor | None] = [None] * (count - 1)
    return [train[1], *(unknown if permuted_targets is None else permuted_targets)]


def check_pair(pair: Pair) -> None:
    """Raise `InputError` unless all networks of a pair, whoever made it, are of one architecture and differ in weights."""
    if not pair.permuted:
        raise InputError("a pair holds no permuted network; give at least one, trained on permuted labels")
    states = [{k: v for k, v in n.state_dict().items() if v.is_floating_point()} for n in (pair.true, *pair.permuted)]
    for place, state in enumerate(states):
        if [(k, v.shape) for k, v in state.items()] != [(k, v.shape) for k, v in states[0].items()]:
            raise InputError(
                f"permuted network {place} has other layers than the true one; give two trainings of one architecture"
            )
        for earlier in range(place):
            if all(torch.equal(v.cpu(), states[earlier][k].cpu()) for k, v in state.items()):
                names = [f"permuted network {i}" if i else "the true network" for i in (earlier, place)]
                raise InputError(f"{names[0]} and {names[1]} have identical weights; were the same files given twice?")
