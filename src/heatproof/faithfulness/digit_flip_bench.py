"""The bench "flip": digit flipping of every method, on the images of the classes that are erased."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from ..checks.subject import Record, Row
from ..engine.chunks import chunk_slices, padded
from ..errors import InputError
from .digit_flip import Flip, classes_of, flipped
from .kind import Batch, Bench, Kind, Measure, failed, rows
from .probe import logits_at, maps_at


def work(bench: Bench, shard: list[int]) -> Record:
    """Rows of the images whose class a pair starts from; an image of two pairs is explained for both in one chunk."""
    subject, record = bench.subject, Record()
    said = subject.targets[torch.tensor(shard, device=subject.targets.device)].tolist()
    asked = [(i, p) for p in bench.options.pairs for i, t in zip(shard, said, strict=True) if t == classes_of(p)[0]]
    for part in chunk_slices(len(asked), subject.chunk):
        record.rows += _rows(bench, asked[part])
    return record


def _rows(bench: Bench, asked: list[tuple[int, str]]) -> Iterator[Row]:
    subject, levels = bench.subject, bench.options.levels
    index = padded(torch.tensor([i for i, _ in asked]), subject.chunk)
    x = subject.images[index.to(subject.images.device)]
    a, b = padded(torch.tensor([classes_of(p) for _, p in asked]), subject.chunk).to(x.device).unbind(1)
    batch = Batch(bench.places(index), x, a, None)
    first, second = maps_at(subject, batch), maps_at(subject, replace(batch, target=b), "flip")
    fill = 0.0 if subject.black is None else subject.black
    for name in subject.methods:
        if error := first.errors.get(name) or second.errors.get(name):
            yield from failed(name, bench.kind, sorted({i for i, _ in asked}), error)
            continue
        change, removed = flipped(subject, batch, b, first.maps[name], second.maps[name], levels, fill)
        for row, (place, pair) in enumerate(asked):
            curve = {(f"curve:{pair}", k): v for k, v in enumerate(change[row, :, None], 1)}
            end = {(f"logodds:{pair}", 0): change[row, -1:], (f"removed:{pair}", 0): removed[row, None]}
            yield from rows(name, bench.kind, [place], {**end, **curve})


def measures(options: Flip) -> dict[str, Measure]:
    found: dict[str, Measure] = {}
    for pair in options.pairs:
        found[f"logodds:{pair}"] = Measure(f"change of log-odds {pair}, nats", "higher")
        found[f"curve:{pair}"] = Measure(f"change of log-odds {pair}, nats", "higher", curve=True)
        found[f"removed:{pair}"] = Measure(f"share of pixels erased, {pair}")
    return found


def prepare(bench: Bench) -> Bench:
    """The bench of the images that a pair starts from.

    Raises:
        InputError: there are none for a pair, or the model lacks a class of it.
    """
    s = bench.subject
    classes = logits_at(s.model, padded(s.images[:1], s.chunk)).shape[1]
    said, starts = s.targets.tolist(), [classes_of(pair)[0] for pair in bench.options.pairs]
    for pair in bench.options.pairs:
        a, b = classes_of(pair)
        if max(a, b) >= classes or a not in said:
            raise InputError(
                f"pair {pair}: the model has {classes} classes and the images are of {sorted(set(said))}; "
                "expected classes of the model, and images of the first; give other pairs or more images"
            )
    return bench.take([place for place, target in enumerate(said) if target in starts])


KIND = Kind(
    name="flip",
    title="Digit flipping",
    about="For images of one digit, the pixels whose map speaks most for it and against another digit are erased. The more "
    "the log-odds move towards the other digit, the better the map tells the two apart.",
    source="Srinivas & Fleuret 2019 (FullGrad), section 6; Shrikumar et al. 2017 (DeepLIFT), section 4.1",
    work=work,
    options=Flip,
    measures=measures,
    levels=lambda options: tuple(options.levels),
    axis="share of pixels erased, at most",
    by_class=True,
    prepare=prepare,
)
