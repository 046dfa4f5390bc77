"""The figures of a bench, or of a retraining, as files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from matplotlib.figure import Figure

from ..errors import InputError
from ..experiment.bench_results import BenchResults
from ..experiment.files import write_bytes
from ..plots import area_bars, boxes, levels, retrain_curves
from .bench_sections import curve_metrics, measured_metrics
from .export import Format, _safe, image

if TYPE_CHECKING:
    from ..experiment.retrain_results import RetrainResults


def bench_figures(results: BenchResults, format: Format = "png") -> list[Path]:
    """Write every figure of a bench into its folder ``figures``: ``levels-METRIC`` and ``boxes-METRIC``.

    Args:
        results: what a bench left.
        format: png (150 dpi), pdf or svg.

    Raises:
        InputError: another format.
        RunError: the folder cannot be written.
    """
    numbers = [*measured_metrics(results), *measured_metrics(results, raw=True)]
    drawn = [(f"levels-{_safe(metric)}", levels(results, metric)) for metric in curve_metrics(results)]
    return _write(results.folder, [*drawn, *((f"boxes-{_safe(m)}", boxes(results, m)) for m in numbers)], format)


def retrain_figures(results: RetrainResults, format: Format = "png") -> list[Path]:
    """Write every figure of a retraining into its folder ``figures``: ``accuracy-DIRECTION`` and ``areas-DIRECTION``.

    Args and errors as `bench_figures`.
    """
    drawn = []
    for direction in dict.fromkeys(map(str, results.areas["direction"])):
        drawn.append((f"accuracy-{direction}", retrain_curves(results, direction)))
        drawn.append((f"areas-{direction}", area_bars(results, direction)))
    return _write(results.folder, drawn, format)


def _write(folder: Path, drawn: Iterable[tuple[str, Figure]], format: Format) -> list[Path]:
    if format not in get_args(Format):
        raise InputError(f"format={format!r}: expected one of {', '.join(get_args(Format))}")
    folder = folder / "figures"
    return [write_bytes(folder / f"{_safe(name)}.{format}", image(figure, format)) for name, figure in drawn]
