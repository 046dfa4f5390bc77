"""Noise level (section 5.3, figure 8): attribution outside the object, and total variation."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ...checks.explained import explain_all
from ...checks.subject import Subject
from ...data.digits import digit_scenes
from ...data.masks import masks_for, smaller_than
from ...data.preprocess import Preprocess
from ...engine.chunks import chunk_slices
from ...engine.model import all_outputs, own
from ...errors import InputError
from ...faithfulness.noise_level import noise_level
from ...faithfulness.retrain_presets import PRESETS
from ...score import logit
from ...types import Explain
from ..lab import IMAGENET, Lab
from ..numbers import over
from ..types import Measured, Number

RECTGRAD, PRR, GRADIENT, DEEPLIFT = "RectGrad", "RectGrad with PRR", "gradient", "DeepLIFT"
METHODS = (
    RECTGRAD, PRR, GRADIENT, "guided backpropagation", "SmoothGrad", "gradient x input", "integrated gradients", DEEPLIFT,
)  # fmt: skip
"""In the order of the paper's figures 7 and 8."""
READINGS = ("authors", "share", "plain")
"""The authors' statistic; of the same maps one that sees no scale; the same of maps as they are."""
LARGEST = 0.5
"""Of a photo: a share outside the box is divided by the background, which must not be a sliver."""
SCENES = 11
"""Seed of the scenes with digits, of the test part."""
Read = Callable[[Tensor, "str | None", slice], tuple[Tensor, Tensor]]
"""Of maps, how they are preprocessed, and their places: the paper's sum, and one that sees no scale; ``(B,)`` each."""


def photos(lab: Lab) -> Measured:
    """Figure 8 top on ImageNet photos with boxes."""
    how = Preprocess(224, 256, IMAGENET["mean"], IMAGENET["std"])
    images, model, table = lab.photos(), lab.photo_net("squeezenet1_0"), lab.data / "imagenet-samples" / "images.csv"
    found = masks_for(images, table, how)
    small = smaller_than(found, LARGEST)
    known = classes_of(table, [images.names[i] for i in small])
    guess = all_outputs(model, images.pixels[small].to(lab.device), logit, 20).argmax(1).cpu()
    right = spread([i for i, ok in zip(small, (guess == known).tolist(), strict=True) if ok], lab.pick(24, 60, 100))
    masks, x = found.masks[right].to(lab.device), images.pixels[right].to(lab.device)
    samples = lab.pick(10, 10, 50)
    return taken(model, x, methods(lab, samples), outside(masks), 4, {"area": over(1 - masks.double().mean((1, 2, 3)))})


def classes_of(table: Path, names: Sequence[str]) -> Tensor:
    """Class numbers of photos by their names, from the table beside them."""
    with table.open(encoding="utf-8", newline="") as lines:
        known = {row["file"]: int(row["class_index"]) for row in csv.DictReader(lines)}
    return torch.tensor([known[name] for name in names])


def spread(places: list[int], count: int) -> list[int]:
    """At most so many, evenly from all."""
    few = min(count, len(places))
    return [places[i * len(places) // few] for i in range(few)]


def scenes(lab: Lab) -> Measured:
    """Figure 8 top on scenes with a digit, whose masks are known."""
    model = lab.network("scenes")
    x, masks = correct_scenes(lab, model, 100)
    area = {"area": over(1 - masks.double().mean((1, 2, 3)))}
    return taken(model, x, methods(lab, lab.pick(10, 50)), outside(masks), 25, area)


def cifar_surrogate(lab: Lab) -> Measured:
    """Figure 8 bottom on the pretrained ResNet-20, which has no max-pooling that PRR could act on."""
    x = lab.cifar_units(lab.pick(32, 100, 1000))[0]
    explained = methods(lab, lab.pick(25, 50))
    del explained[PRR]
    return taken(lab.resnet20(), x, explained, variation, 32)


def cifar(lab: Lab) -> Measured:
    """Figure 8 bottom on the paper's network."""
    x = lab.labelled("CIFAR10", "test", lab.pick(32, 200, 10_000))[0]
    return taken(lab.network("cifar-clean"), x, methods(lab, 50), variation, 50)


def methods(lab: Lab, samples: int) -> dict[str, Explain]:
    """Those of the paper's figures, by their names there; samples: of SmoothGrad and integrated gradients (paper: 50)."""
    others = [text.replace("50", str(samples)) for text in PRESETS["paper"].methods[1:]]
    texts = ("rectgrad", "rectgrad(prr=True)", *others)
    return {name: lab.method(text) for name, text in zip(METHODS, texts, strict=True)}


def correct_scenes(lab: Lab, model: nn.Module, count: int) -> tuple[Tensor, Tensor]:
    """The first scenes that are classified correctly, and their masks."""
    found = digit_scenes("test", 2 * count, SCENES)
    guess = all_outputs(model, found.pixels.to(lab.device), logit, 50).argmax(1).cpu()
    right = (guess == found.targets).nonzero().flatten()[:count]
    return found.pixels[right].to(lab.device), found.masks[right].to(lab.device)


def outside(masks: Tensor) -> Read:
    """Attribution outside masks, and over the share of pixels there."""

    def read(maps: Tensor, how: str | None, rows: slice) -> tuple[Tensor, Tensor]:
        found = noise_level(maps, masks[rows], preprocess=how)
        return found.outside, found.outside_times

    return read


def variation(maps: Tensor, how: str | None, rows: slice) -> tuple[Tensor, Tensor]:
    """Total variation, and over the sum of |m|."""
    found = noise_level(maps, preprocess=how)
    return found.total_variation, found.relative_variation


def taken(
    model: nn.Module, x: Tensor, methods: Mapping[str, Explain], read: Read, chunk: int,
    more: Mapping[str, Number] | None = None,
) -> Measured:  # fmt: skip
    """Every method's maps of the predicted class, read in all `READINGS`.

    Numbers: "METHOD/READING", "median/METHOD/READING", and "METHOD - OTHER/READING" on the same images. Arrays: by
    reading, ``(methods, images)``.
    """
    parts: dict[str, list[Tensor]] = {name: [] for name in methods}
    for rows, maps in maps_by_chunk(model, x, methods, chunk):
        for name, found in maps.items():
            parts[name].append(readings(name, found, read, rows))
    values = {name: torch.cat(found, 1) for name, found in parts.items()}
    numbers = dict(more or {})
    for place, reading in enumerate(READINGS):
        numbers |= compared({name: found[place] for name, found in values.items()}, reading)
    arrays = {r: torch.stack([v[place] for v in values.values()]).float() for place, r in enumerate(READINGS)}
    return Measured(numbers, arrays, {"methods": "\n".join(values)})


def readings(name: str, maps: Tensor, read: Read, rows: slice) -> Tensor:
    """The numbers of one method's maps, ``(readings, B)``."""
    raw, share = read(maps, "rectgrad" if name in (RECTGRAD, PRR) else "code", rows)
    return torch.stack([raw, share, read(maps, None, rows)[1]]).cpu()


def compared(values: Mapping[str, Tensor], reading: str) -> dict[str, Number]:
    """Means and medians of a reading, and of each method what it has more than those that the paper calls good."""
    found = {f"{name}/{reading}": over(v) for name, v in values.items()}
    found |= {f"median/{name}/{reading}": Number(float(v.nanmedian())) for name, v in values.items()}
    for mine in (RECTGRAD, PRR, DEEPLIFT):
        found |= {f"{n} - {mine}/{reading}": over(v - values[mine]) for n, v in values.items() if mine in values}
    return found


def maps_by_chunk(
    model: nn.Module, x: Tensor, methods: Mapping[str, Explain], chunk: int
) -> list[tuple[slice, dict[str, Tensor]]]:
    """Maps of the predicted class by method, one chunk after the other; one that refuses stops the experiment."""
    private, chunk = own(model), min(chunk, len(x))
    target = all_outputs(private, x, logit, chunk).argmax(1)
    subject = Subject(private, x, target, methods, (), logit, (), x[:chunk], chunk=chunk)
    found = []
    for rows in chunk_slices(len(x), chunk):
        done = explain_all(subject, private, list(range(rows.start, rows.stop)), "original")
        if done.errors:
            raise InputError("; ".join(f"{name}: {why}" for name, why in done.errors.items()))
        found.append((rows, done.maps))
    return found
