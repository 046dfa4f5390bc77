"""Which units the rules pass on a trained network, beside what each unit contributes when it is switched off."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...theory.rectgrad import Hidden, Layers, influence, rectified, switched_off
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number

RULES = ("pr1", "mod", "pr3", "pr4")
Q = 98.0


def influential_units(lab: Lab) -> Measured:
    """By layer and rule: the fall of the logit without the units that pass, the share of the truly most influential
    units among them, and whether the least influential unit of all is."""
    model = lab.network("mnist-mlp")
    layers = [(m.weight.detach(), m.bias.detach()) for m in model.modules() if isinstance(m, nn.Linear)]
    x, _ = lab.labelled("MNIST", "test", lab.pick(60, 100, 1000))
    with torch.no_grad():
        return Measured(_numbers(layers, x.flatten(1), model(x).argmax(1)))


def _numbers(layers: Layers, x: Tensor, target: Tensor) -> dict[str, Number]:
    passed = {rule: rectified(layers, x, target, Q, rule) for rule in RULES}
    numbers: dict[str, Number] = {}
    for depth in range(len(layers) - 1):
        units = passed["pr1"][depth].activation
        truth = influence(layers, units, depth, target)
        found = {rule: _judged(layers, depth, hidden[depth], truth, target) for rule, hidden in passed.items()}
        for rule, values in found.items():
            numbers |= {f"{depth + 1}/{rule}/{what}": over(v) for what, v in values.items()}
        for rule in RULES[1:]:
            gap = found["pr1"]["fall"] - found[rule]["fall"]
            numbers[f"{depth + 1}/pr1 over {rule}"] = over(gap)
        numbers[f"{depth + 1}/against, mod over pr1"] = over(found["mod"]["against"] - found["pr1"]["against"])
    return numbers


def _judged(layers: Layers, depth: int, hidden: Hidden, truth: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Of each image: what the passing units are worth beside exact influences."""
    off = hidden.passes
    count = off.sum(1)
    best = torch.stack(
        [row >= row.sort(descending=True).values[max(int(n), 1) - 1] for row, n in zip(truth, count, strict=True)]
    )
    return {
        "fall": switched_off(layers, hidden.activation, depth, off, target),
        "recall": (off & best).sum(1) / count.clamp(min=1),
        "against": (off & (truth < 0)).sum(1) / count.clamp(min=1),
        "passing": count / off.shape[1],
    }
