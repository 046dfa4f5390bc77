"""What a bench is: a measure of maps on one shard of images, with its options, its numbers and how they are read.

A new bench is one file with a `Kind` in it and one line in `kinds.py`; command, tables, plots and report follow from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..checks.subject import Record, Row, Subject
from ..engine.chunks import padded

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Measure:
    """One number of a bench.

    Attributes:
        title: how it is written for people, with its unit.
        better: "lower", "higher", or "" where neither is.
        curve: measured at every level, else once.
        raw: an unnormalised sum as a paper prints it, which favours methods of small scale.
    """

    title: str
    better: str = ""
    curve: bool = False
    raw: bool = False


@dataclass(frozen=True)
class Bench:
    """What is measured.

    Attributes:
        subject: a private model, images, targets, methods, score, chunk, seed, black.
        kind: the name of the bench.
        options: of its kind, checked.
        masks: bool ``(N, 1, H, W)``, True on the object; None where there are none.
        kept: places in the data set of the subject's images, where a kind measures some of them only; None = all.
        notes: what to say of it in the plan and the report.
    """

    subject: Subject
    kind: str
    options: Any
    masks: Tensor | None = None
    kept: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()

    def places(self, rows: Tensor) -> Tensor:
        """Places in the data set of images of the subject, int64 ``(B,)``."""
        return rows if self.kept is None else torch.tensor(self.kept)[rows]

    def take(self, places: Sequence[int]) -> Bench:
        """The bench of some of its images."""
        rows = torch.as_tensor(list(places), dtype=torch.int64)
        known = self.kept if self.kept is not None else tuple(range(len(self.subject.images)))
        subject = replace(self.subject, images=self.subject.images[rows], targets=self.subject.targets[rows])
        masks = None if self.masks is None else self.masks[rows]
        return replace(self, subject=subject, masks=masks, kept=tuple(known[i] for i in places))


@dataclass(frozen=True)
class Kind:
    """A bench.

    Attributes:
        name: on the command line. title: in reports. source: paper and section.
        about: what is measured and how to read it, for the help and the report.
        work: ``(bench, shard) -> Record``; shard holds at most `Subject.chunk` places of images.
        options: a frozen dataclass that checks itself; its fields become options of the command, with metadata "help".
        measures: every metric that the options ask for, the most important first.
        levels: the levels of the curves, stage 1 and on of the rows, by the options; none for a bench without curves.
        axis: what the levels are.
        masks: "needed", "optional" or "".
        control: a method that is added to every run as what chance gives; "" for none.
        rows: names of the rows of a bench in which no method is involved; empty = one row for each method.
        by_class: measures images of the classes that its options name, and so takes no other target.
        prepare: checks a bench (`InputError` where the kind cannot measure it) and completes it: options that depend on
            the model, fewer images.
        remark: what to warn of once the summary (`BenchResults.summary`) is known; "" for nothing.
    """

    name: str
    title: str
    about: str
    source: str
    work: Callable[[Bench, list[int]], Record]
    options: type[Any]
    measures: Callable[[Any], Mapping[str, Measure]]
    levels: Callable[[Any], tuple[float, ...]] = lambda options: ()
    axis: str = ""
    masks: str = ""
    control: str = "random_map"
    rows: tuple[str, ...] = ()
    by_class: bool = False
    prepare: Callable[[Bench], Bench] = lambda bench: bench
    remark: Callable[[pd.DataFrame], str] = lambda summary: ""


@dataclass(frozen=True)
class Batch:
    """The images of a shard, filled up to the chunk by its last one, so that batch size changes no digit.

    index: int64 ``(B,)``, places in the data set. x: ``(B, C, H, W)``. target: int64 ``(B,)``. masks: as in `Bench`.
    """

    index: Tensor
    x: Tensor
    target: Tensor
    masks: Tensor | None


Found = Mapping[tuple[str, int], Tensor]
"""Values ``(B,)`` by (metric, stage); NaN where there is none."""


def batch_of(bench: Bench, shard: list[int]) -> Batch:
    """The shard's images, targets and masks on the device of the images, padded to the chunk."""
    s = bench.subject
    index = padded(torch.tensor(shard), s.chunk)
    x = s.images[index.to(s.images.device)]
    target = s.targets[index.to(s.targets.device)].to(x.device)
    masks = None if bench.masks is None else bench.masks[index.to(bench.masks.device)].to(x.device)
    return Batch(bench.places(index), x, target, masks)


def rows(method: str, kind: str, shard: list[int], found: Found, seed: int = 0) -> Iterator[Row]:
    """Tidy rows of values ``(B,)``, of which the first are the shard's."""
    for (metric, stage), values in found.items():
        for i, value in zip(shard, values.double().tolist(), strict=False):
            yield method, kind, stage, metric, i, seed, value, "ok" if value == value else "undefined", ""


def failed(method: str, kind: str, shard: list[int], error: str) -> Iterator[Row]:
    """Rows of a method that has no maps; the metric is left open, since it has none of any."""
    for i in shard:
        yield method, kind, 0, "", i, 0, float("nan"), "failed", error
