"""Maps of networks whose weights are randomised, with and without competition (sections 4.1.1 to 4.1.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...checks.randomize import blocks_of, randomize, stage_names
from ...combine.kept import kept
from ...errors import InputError
from ...similarity import spearman, zero_pattern_null
from ...theory.nulls import sparse_spearman_null
from ...types import Explain
from ..lab import Lab
from ..numbers import over
from ..types import Measured

INPUT, LRP = ("gradient_x_input", "cgi"), ("lrp", "clrp")
SIGNS = ("lrp(rule='alphabeta')", "compete(lrp(rule='alphabeta'))")
"""Pairs of a method and its competition."""
ORDERS = ("independent", "cascading")
PHOTOS = ("n01532829/house_finch.jpg", "n01558993/robin.jpg", "n01614925/bald_eagle.jpg",
          "n01537544/indigo_bunting.jpg", "n01820546/lorikeet.jpg", "n01843383/toucan.jpg",
          "n01622779/great_grey_owl.jpg", "n01828970/bee_eater.jpg", "n01829413/hornbill.jpg",
          "n01518878/ostrich.jpg", "n02006656/spoonbill.jpg", "n02051845/pelican.jpg")  # fmt: skip
"""Birds, as in the paper."""
SIDE = 96
CHOICES = ("", "predicted/")
"""The class that is explained: the trained network's throughout, or that of the network in hand."""

Cells = dict[str, Tensor]
"""Numbers by their names, one for each image."""


Pair = tuple[str, str]


@dataclass(frozen=True)
class Sweep:
    """The stages of each order, by their positions, and the pairs of methods that are measured in it."""

    methods: Mapping[str, Explain]
    positions: Mapping[str, Sequence[int]]
    pairs: Mapping[str, Sequence[Pair]]

    @classmethod
    def of(cls, lab: Lab, positions: Mapping[str, Sequence[int]], **pairs: Sequence[Pair]) -> Sweep:
        names = dict.fromkeys(name for given in pairs.values() for pair in given for name in pair)
        return cls({name: lab.method(name) for name in names}, positions, pairs)

    def methods_at(self, places: Sequence[tuple[str, int]]) -> dict[str, Explain]:
        return {name: self.methods[name] for order, _ in places for pair in self.pairs[order] for name in pair}


@dataclass(frozen=True)
class Maps:
    """Maps by method, ``(2, B, C, H, W)`` for the classes of `CHOICES`, and the classes that the network says."""

    of: Mapping[str, Tensor]
    said: Tensor

    def drawn(self, place: str, images: Sequence[int]) -> dict[str, Tensor]:
        """Maps of some images, named for a picture."""
        fixed = {f"{name}/{place}": found[0, list(images)].float() for name, found in self.of.items()}
        winners = {name: self.of[name] for _, name in (INPUT, LRP, SIGNS) if name in self.of}
        return fixed | {f"predicted/{name}/{place}": found[1, list(images)].float() for name, found in winners.items()}


def digits(lab: Lab) -> Measured:
    """Every stage of the MNIST CNN with 10 classes; all images under each randomisation."""
    model, (x, _) = lab.network("mnist-cnn"), lab.labelled("MNIST", "test", lab.pick(32, 64, 100))
    positions = dict.fromkeys(ORDERS, range(1, len(blocks_of(model, x)) + 1))
    sweep = Sweep.of(lab, positions, independent=(INPUT,), cascading=(INPUT, LRP, SIGNS))
    return many_seeds(sweep, model, x, lab.pick(5, 5, 10), drawn=(30,))


def birds(lab: Lab) -> Measured:
    """Gradient x input and CGI of photos, 1000 classes; each photo has randomised networks of its own."""
    positions = {"independent": lab.pick((10,), (5, 10), tuple(range(2, 11))),
                 "cascading": lab.pick((1, 10), (1, 5, 10), tuple(range(1, 11)))}  # fmt: skip
    return one_seed_each(
        Sweep.of(lab, positions, independent=(INPUT,), cascading=(INPUT,)), *_photos(lab, lab.pick(2, 12))
    )


def birds_lrp(lab: Lab) -> Measured:
    """LRP and CLRP of photos, 1000 classes; by the alphabeta rule, since LRP-epsilon is gradient x input here."""
    positions = {"cascading": lab.pick((1, 10), (1, 10), tuple(range(1, 11)))}
    return one_seed_each(Sweep.of(lab, positions, cascading=(SIGNS,)), *_photos(lab, lab.pick(2, 6)))


def _photos(lab: Lab, count: int) -> tuple[nn.Module, Tensor]:
    """Photos of birds at 96 px; unreduced at 224 as in the paper. SqueezeNet, whose logits are linear here as VGG's are.

    Its last ReLU would hold many logits of a random network at zero everywhere: blank maps, whatever the method.
    """
    held = lab.photos()
    wanted = PHOTOS[:count]
    if lacking := [name for name in wanted if name not in held.names]:
        raise InputError(f"photos are missing or cannot be read: {', '.join(lacking)} of imagenet-samples")
    pixels = held.pixels[[held.names.index(name) for name in wanted]]
    side = lab.pick(SIDE, SIDE, pixels.shape[-1])
    small = F.interpolate(pixels, size=side, mode="bilinear", antialias=True, align_corners=False)
    model = lab.photo_net("squeezenet1_0")
    model.get_submodule("classifier").add_module("2", nn.Identity().eval())
    return model, small.to(lab.device)


def many_seeds(sweep: Sweep, model: nn.Module, x: Tensor, seeds: int, drawn: Sequence[int]) -> Measured:
    """Intervals over networks and images; maps of the images `drawn` under the first randomisation."""
    original = explained(sweep.methods, model, x)
    runs = [one_seed(sweep, model, x, original, seed, drawn) for seed in range(seeds)]
    numbers = {name: over(torch.stack([table[name] for table, _ in runs])) for name in runs[0][0]}
    return Measured(numbers, {"images": x[list(drawn)], **runs[0][1]}, _words(model, x))


def one_seed_each(sweep: Sweep, model: nn.Module, x: Tensor) -> Measured:
    """Each image under a randomisation of its own; intervals over such pairs, maps of the first one."""
    images = torch.split(x, 1)
    runs = [
        one_seed(sweep, model, image, explained(sweep.methods, model, image), seed, (0,))
        for seed, image in enumerate(images)
    ]
    numbers = {name: over(torch.cat([table[name] for table, _ in runs])) for name in runs[0][0]}
    return Measured(numbers, {"images": x[:1], **runs[0][1]}, _words(model, x))


def one_seed(
    sweep: Sweep, model: nn.Module, x: Tensor, original: Maps, seed: int, drawn: Sequence[int]
) -> tuple[Cells, Cells]:
    """Everything that is measured under one randomisation, and the maps of the images `drawn`."""
    maps, found = original.drawn("original", drawn), Cells()
    for plain, competing in dict.fromkeys(pair for given in sweep.pairs.values() for pair in given):
        left = remains(original.of[plain][0], original.of[competing][0])
        found |= {f"original/{competing}/{what}": values for what, values in left.items()}
        found |= {f"original/{name}/image": shown(original.of[name][0], x) for name in (plain, competing)}
    for places, network in stages(model, x, sweep.positions, seed):
        here = explained(sweep.methods_at(places), network, x, original.said)
        for order, position in places:
            found[f"{order}/changed/{position}"] = (here.said != original.said).double()
            maps |= here.drawn(f"{order}/{position}", drawn)
            for pair in sweep.pairs[order]:
                found |= compared(order, pair, position, original, here, x)
    return found, maps


def stages(
    model: nn.Module, x: Tensor, positions: Mapping[str, Sequence[int]], seed: int
) -> Iterator[tuple[list[tuple[str, int]], nn.Module]]:
    """Networks with the places that they take; the first stage of both orders is one network: the top layer is random."""
    for order, wanted in positions.items():
        shared = [(other, 1) for other in positions]
        keep = [p for p in wanted if p > 1 or order == "cascading"]
        for position, stage in zip(keep, randomize(model, order, calibration=x, seed=seed, keep=keep), strict=True):
            yield (shared if position == 1 else [(order, position)]), stage.model


def explained(methods: Mapping[str, Explain], model: nn.Module, x: Tensor, fixed: Tensor | None = None) -> Maps:
    """Maps of the class `fixed` and of the class that the network says."""
    with torch.no_grad():
        said = model(x).argmax(1)
    rows = torch.stack([said if fixed is None else fixed, said])
    return Maps({name: method(model, x, rows) for name, method in methods.items()}, said)


def compared(order: str, pair: Pair, position: int, original: Maps, maps: Maps, x: Tensor) -> Cells:
    """A method and its competition under one network, beside their maps of the original one and beside the images."""
    found: Cells = {}
    trained = remains(*(original.of[name][0] for name in pair))
    for row, choice in enumerate(CHOICES):
        before, after = (maps.of[name][row] for name in pair)
        similar = [resemblance(original.of[name][0], maps.of[name][row]) for name in pair]
        for name, values in zip(pair, similar, strict=True):
            found |= {f"{choice}{order}/{name}/{metric}/{position}": v for metric, v in values.items()}
        for name, m in zip(pair, (before, after), strict=True):
            found[f"{choice}{order}/{name}/image/{position}"] = shown(m, x)
            found[f"{choice}{order}/{name}/image expected/{position}"] = zero_pattern_null(x, m).nan_to_num()
        found[f"{choice}{order}/{pair[1]}/less/{position}"] = similar[0]["absolute"] - similar[1]["absolute"]
        left = {
            "expected": chance(original.of[pair[0]][0], original.of[pair[1]][0], before, after),
            **(here := remains(before, after)),
            **{f"fallen {what}": trained[what] - values for what, values in here.items()},
            "fallen image": shown(original.of[pair[1]][0], x) - shown(maps.of[pair[1]][row], x),
        }
        found |= {f"{choice}{order}/{pair[1]}/{what}/{position}": v for what, v in left.items()}
        found[f"{choice}{order}/{pair[0]}/expected/{position}"] = zero_pattern_null(original.of[pair[0]][0], before)
    return found


def shown(maps: Tensor, x: Tensor) -> Tensor:
    """How much of the image a map shows: absolute rank correlation with it; a blank map shows nothing: 0."""
    return spearman(maps, x, absolute=True).nan_to_num()


def resemblance(a: Tensor, b: Tensor) -> Cells:
    """Rank correlation of signed maps and of magnitudes; a blank map resembles nothing: 0."""
    blank = (b == 0).flatten(1).all(1) & (a != 0).flatten(1).any(1)
    found = {"signed": spearman(a, b), "absolute": spearman(a, b, absolute=True)}
    return {name: value.masked_fill(blank, 0.0) for name, value in found.items()}


def remains(before: Tensor, after: Tensor) -> Cells:
    """What competition leaves of a map: of its nonzero values, its mass, and the mass of either sign."""
    share, mass = kept(before, after)
    red, blue = (_mass(after, sign) / _mass(before, sign) for sign in (1, -1))
    return {"kept": share, "mass": mass, "red": red, "blue": blue}


def _mass(maps: Tensor, sign: int) -> Tensor:
    return maps.mul(sign).clamp(min=0).flatten(1).double().sum(1)


def chance(plain: Tensor, competing: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Absolute rank correlation of two competitions that keep their shares of one support at random (semantics.md, 0.6)."""
    p, first, q, second = ((m.abs().sum(1) != 0).flatten(1).double().mean(1) for m in (plain, competing, before, after))
    return sparse_spearman_null((first / p).clamp(max=1), (second / q).clamp(max=1), p)


def _words(model: nn.Module, x: Tensor) -> dict[str, str]:
    blocks = blocks_of(model, x)
    return {order: "\n".join(name for name, _ in stage_names(order, blocks)) for order in ORDERS}
