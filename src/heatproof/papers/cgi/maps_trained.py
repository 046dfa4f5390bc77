"""What section 3 says of trained networks: sums and logits, gradient and input, what competition leaves."""

from __future__ import annotations

from collections.abc import Iterator
from math import nan

import torch
from torch import Tensor, nn

from ...engine.chunks import chunk_slices
from ...similarity.spearman import spearman
from ...types import Explain
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number

CLASSES, TOP, SHOWN, BATCH = 10, 0.2, 60, 25


def trained_mnist(lab: Lab) -> Measured:
    return _trained(lab, lab.network("mnist-cnn"), "MNIST")


def trained_cifar(lab: Lab) -> Measured:
    return _trained(lab, lab.network("cifar-clean"), "CIFAR10")


def _trained(lab: Lab, model: nn.Module, data: str) -> Measured:
    """Numbers over test images; logits and sums of maps of some images as arrays."""
    found = _Maps(lab, model, lab.labelled(data, "test", lab.pick(100, 300, 1000))[0])
    arrays = {"logits": found.logits[:, :SHOWN].float(), "sums": found.sums[:, :SHOWN].float()}
    return Measured(dict(_numbers(found)), arrays)


class _Maps:
    """Maps of all labels of a stack of images, ``(C, B, N)`` in float64 on the CPU."""

    def __init__(self, lab: Lab, model: nn.Module, x: Tensor) -> None:
        with torch.no_grad():
            self.logits = model(x).double().cpu().T
        self.chosen = self.logits.argmax(0)
        self.maps, self.left = (_of_all(lab.method(text), model, x) for text in ("gradient_x_input", "cgi"))
        gradient = lab.method("gradient")(model, x, self.chosen.to(x.device)).flatten(1).double().cpu()
        self.x, self.sums = x.flatten(1).double().cpu(), self.maps.sum(2)
        self.live = self.x != 0
        self.gradients = torch.where(self.live, self.maps / torch.where(self.live, self.x, 1.0), 0.0)
        self.sizes = gradient.norm(dim=1) * self.x.norm(dim=1)

    def of_chosen(self, values: Tensor) -> Tensor:
        """The chosen label's row: ``(C, B, ...) -> (B, ...)``."""
        return values[self.chosen, torch.arange(len(self.chosen))]

    def of_others(self, values: Tensor) -> Tensor:
        """All rows but the chosen label's: ``(C, B) -> (C - 1, B)``."""
        rows = torch.arange(CLASSES)[:, None] != self.chosen
        return values.T[rows.T].reshape(len(self.chosen), CLASSES - 1).T


def _of_all(explain: Explain, model: nn.Module, x: Tensor) -> Tensor:
    targets = torch.arange(CLASSES, device=x.device)[:, None].expand(-1, BATCH)
    parts = [
        explain(model, part, targets[:, : len(part)].contiguous())
        for part in (x[rows] for rows in chunk_slices(len(x), BATCH))
    ]
    return torch.cat([maps.flatten(2).double().cpu() for maps in parts], 1)


def _numbers(found: _Maps) -> Iterator[tuple[str, Number]]:
    """Everything that the paper's paragraphs name."""
    logits, others = found.of_chosen(found.logits), found.of_others(found.logits)
    yield "pearson", over(_pearson(found.logits, found.sums))
    yield "slope", over(_slope(found.logits, found.sums))
    yield "delta", over(found.of_chosen(found.sums) / found.sizes)
    yield "delta by chance", Number(found.x.shape[1] ** -0.5)
    ratio = (logits / others.amax(0)).where(others.amax(0) > 0, nan)
    yield "twice the next", over((ratio >= 2).double().where(~ratio.isnan(), nan))
    yield "next over 0", over((~ratio.isnan()).double())
    yield "ratio to the next", Number(float(ratio.nanmedian()))
    yield "ratio to the rest", Number(float((logits / others.abs().mean(0)).median()))
    yield "left", _ratio(found.of_chosen(found.left.sum(2)), found.of_chosen(found.sums))
    yield "kept", over(_kept(found.of_chosen(found.left), found.of_chosen(found.maps)))
    yield from _overlaps(found)
    yield from _other_labels(found)


def _overlaps(found: _Maps) -> Iterator[tuple[str, Number]]:
    """Sets of the largest fifth of the live pixels, of the chosen label and of each other one.

    All maps hold the same |x|, so that theirs meet by chance as well: "null" is of gradients shuffled over live pixels;
    of what a fifth carries it is of gradients of one size, |x| alone.
    """
    noise = shuffled(found.gradients, found.live)
    for what, values, null in (
        ("overlap", found.gradients, noise),
        ("overlap of maps", found.maps, noise * found.x),
    ):
        met, chance = (_met(found, v) for v in (values, null))
        yield what, over(met)
        yield f"{what}/null", over(chance)
        yield f"{what}/beyond", over(met - chance)
    even = found.x.expand_as(found.maps)
    carried, shuffled_too, chance = (_carried(found, v) for v in (found.maps, noise * found.x, even))
    yield "carried", over(carried)
    yield "carried/shuffled", over(shuffled_too)
    yield "carried/null", over(chance)
    yield "carried/beyond", over(carried - chance)
    both, own = _shared(found, found.gradients), found.of_chosen(found.gradients)
    yield "alike", over(found.of_others(_cosine(found.gradients, own, both)).nanmean(0))


def shuffled(gradients: Tensor, live: Tensor) -> Tensor:
    """Gradients of each label in a random order of their own over live pixels; 0 elsewhere. ``(C, B, N), (B, N)``."""
    keys = torch.rand(gradients.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    drawn = (keys + 2.0 * ~live).argsort(2)
    places = torch.argsort((~live).int(), dim=1, stable=True).expand_as(drawn)
    return torch.zeros_like(gradients).scatter(2, places, gradients.gather(2, drawn)) * live


def _shared(found: _Maps, values: Tensor) -> Tensor:
    """Pixels in the largest fifth of a label and in that of the chosen one. ``(C, B, N)``."""
    top = torch.stack([_top(found, v) for v in values])
    return top & found.of_chosen(top)


def _met(found: _Maps, values: Tensor) -> Tensor:
    """Share of the live pixels that both sets hold, in the mean over the other labels. ``(B,)``."""
    return (found.of_others(_shared(found, values).sum(2).double()) / found.live.sum(1)).mean(0)


def _carried(found: _Maps, maps: Tensor) -> Tensor:
    """Share of the chosen map's mass in its largest fifth. ``(B,)``."""
    votes = found.of_chosen(maps).abs()
    return torch.div((votes * _top(found, votes)).sum(1), votes.sum(1))


def _top(found: _Maps, values: Tensor) -> Tensor:
    return _largest(values.abs(), (TOP * found.live.sum(1)).round().long())


def _other_labels(found: _Maps) -> Iterator[tuple[str, Number]]:
    """Whether a label's map grows with its logit; the label with the second largest one."""
    heat = found.left.clamp(min=0).sum(2)
    yield "heat by logit", over(spearman(heat.T[:, None, None], found.logits.T[:, None, None]))
    second = found.logits.argsort(0, descending=True)[1]
    left, maps = (values[second, torch.arange(len(second))] for values in (found.left, found.maps))
    yield "kept by the second", over(_kept(left, maps))


def _largest(values: Tensor, count: Tensor) -> Tensor:
    """The `count` largest values of each row. ``(B, N), (B,) -> (B, N)`` bool."""
    ranks = values.argsort(dim=1, descending=True, stable=True).argsort(1)
    return torch.lt(ranks, count[:, None])


def _cosine(maps: Tensor, own: Tensor, where: Tensor) -> Tensor:
    """Cosine of every map with the chosen one's over some pixels; NaN where there are none. ``-> (C, B)``."""
    a, b = maps * where, own * where
    return torch.div((a * b).sum(2), a.norm(dim=2) * b.norm(dim=2))


def _kept(left: Tensor, maps: Tensor) -> Tensor:
    return torch.div((left != 0).sum(1), (maps != 0).sum(1).double())


def _ratio(a: Tensor, b: Tensor) -> Number:
    """Mean of a over mean of b, with the interval of its linear part."""
    ratio = a.mean() / b.mean()
    return over(ratio + (a - ratio * b) / b.mean())


def _pearson(a: Tensor, b: Tensor) -> Tensor:
    """Of each image over the logits. ``(C, B), (C, B) -> (B,)``."""
    a, b = a - a.mean(0), b - b.mean(0)
    return torch.div((a * b).sum(0), a.norm(dim=0) * b.norm(dim=0))


def _slope(a: Tensor, b: Tensor) -> Tensor:
    """Of b against a, by least squares."""
    a, b = a - a.mean(0), b - b.mean(0)
    return torch.div((a * b).sum(0), (a * a).sum(0))
