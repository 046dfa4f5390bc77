"""Before an audit: every method is tried on one image, and its cost is counted and measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import torch

from ..checks.compared import compare
from ..checks.explained import explain_all
from ..checks.subject import Maps, Subject
from ..combine import effort_of, with_effort
from ..data.streamed import taken
from ..engine.call import attribute, guarded
from ..engine.chunks import generator, padded
from ..engine.guard import fixed_batch
from ..engine.model import counted_rows, output
from ..errors import HeatproofError, InputError, out_of_memory
from ..faithfulness.quick import FRACTIONS, ORDERS
from ..methods.gradient import gradient
from ..types import Explain, name_of
from .budget import Choice, Costs
from .cost import count

METRIC_SECONDS_PER_PIXEL = 1.2e-7
"""All four metrics on one pair of maps, a pixel; for the counted cost."""


@dataclass(frozen=True)
class Trial:
    """Methods that run, those that do not with the reason, and rows a map: fixed ones, and by unit of effort."""

    usable: dict[str, Explain]
    refused: dict[str, str]
    fixed_rows: float
    effort_rows: dict[str, tuple[int, float]]


def try_methods(subject: Subject) -> Trial:
    """Every method on the first image; those with an effort option at two units of it.

    Raises:
        InputError: where no method runs.
    """
    refused: dict[str, str] = {}
    effort: dict[str, tuple[int, float]] = {}
    fixed = 0.0
    for name, explain in subject.methods.items():
        units, explicit = effort_of(explain)
        error, rows = _try(subject, with_effort(explain, 2) if units else explain)
        if error:
            refused[name] = error
        elif units and explicit:
            fixed += rows / 2 * units
        elif units:
            effort[name] = (units, rows / 2)
    usable = {n: e for n, e in subject.methods.items() if n not in refused}
    if not usable:
        raise InputError(
            "no method can run on this model; choose others, or mend what the first of them says: "
            f"{next(iter(refused.values()))}"
        )
    plain = {n: e for n, e in usable.items() if not effort_of(e)[0]}
    size = fixed_batch(subject.model) or 1
    with counted_rows() as shared:
        explain_all(replace(subject, methods=plain, chunk=size), subject.model, [0], "original")
    return Trial(usable, refused, fixed + shared[0] / size, effort)


def _try(subject: Subject, explain: Explain) -> tuple[str, float]:
    """The error of a method, "" where it runs, and the rows that one image took."""
    size = fixed_batch(subject.model) or 1
    x, target = padded(subject.images[:1], size), padded(subject.targets[:1], size)
    with counted_rows() as rows:
        try:
            attribute(explain, *guarded(explain, subject.model, x), target, score=subject.score)
        except Exception as error:  # a callable of the user's may raise anything; it is refused by name
            if out_of_memory(error):
                raise
            if isinstance(error, HeatproofError):
                return str(error), 0
            return f"{type(error).__name__}: {error}", 0
    return "", rows[0] / size


def counted_costs(subject: Subject, trial: Trial, checks: Sequence[str], nulls: int, faithfulness: bool) -> Costs:
    """Costs from counted work alone: the same on every run."""
    x = padded(subject.images[:1], subject.chunk)
    row = count(subject.model, x).seconds(x.device.type, torch.get_num_threads()) / subject.chunk
    pixels = prod(subject.images.shape[2:])
    return Costs(
        row=row,
        fixed_rows=trial.fixed_rows,
        effort_rows=trial.effort_rows,
        metrics=len(trial.usable) * pixels * METRIC_SECONDS_PER_PIXEL * len(subject.metrics) / 4,
        calibration_rows=len(subject.calibration),
        chunk=subject.chunk,
        nulls=nulls,
        checks=tuple(checks),
        faithfulness_rows=len(FRACTIONS) * (len(trial.usable) + ORDERS) if faithfulness else 0,
    )


def measured_costs(subject: Subject, counted: Costs) -> Costs:
    """The same with seconds as this machine takes them, for the minutes that the plan prints; unchanged where memory does
    not suffice for a chunk, which the jobs find out for themselves (`room`)."""
    try:
        return _measured(subject, counted)
    except Exception as error:
        if not out_of_memory(error):
            raise
    return counted


def _measured(subject: Subject, counted: Costs) -> Costs:
    x, target = (padded(t[:1], subject.chunk) for t in (subject.images, subject.targets))
    try:
        row = _fastest(lambda: gradient(subject.model, x, target, score=subject.score)) / subject.chunk
    except HeatproofError:  # a model without a gradient, with methods that need none
        row = _fastest(lambda: output(subject.model, x, subject.score)) / subject.chunk
    a, b = (torch.randn(x.shape, generator=generator("trial", i)).to(x.device) for i in range(2))
    one, original, places = replace(subject, methods={"trial": gradient}), Maps({"trial": a}, {}), list(range(len(a)))
    # what is read of the original is kept from the first call on, as in a chain
    compared = _fastest(lambda: list(compare(one, original, Maps({"trial": b}, {}), places, "", 0, 0))) / subject.chunk
    return replace(counted, row=row, metrics=compared * len(subject.methods))


def _fastest(call: object) -> float:
    times = []
    for _ in range(2):
        start = time.perf_counter()
        call()  # type: ignore[operator]
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)


def reduced(subject: Subject, chosen: Choice) -> Subject:
    """The subject with the images and the effort that were chosen; methods go by their new names."""
    methods: dict[str, Explain] = {}
    for name, explain in subject.methods.items():
        units, explicit = effort_of(explain)
        if units and not explicit and chosen.effort is not None and chosen.effort < units:
            less = with_effort(explain, chosen.effort)
            methods[name_of(less) if name == name_of(explain) else name] = less
        else:
            methods[name] = explain
    kept = evenly(len(subject.images), chosen.images)
    return replace(subject, methods=methods, images=taken(subject.images, kept), targets=subject.targets[kept])


def evenly(total: int, wanted: int) -> list[int]:
    """Places spread evenly over the data set, so that a folder sorted by class is not cut to its first classes.

    Example:
        >>> evenly(10, 4), evenly(3, 5)
        ([0, 2, 5, 7], [0, 1, 2])
    """
    return [i * total // wanted for i in range(wanted)] if wanted < total else list(range(total))
