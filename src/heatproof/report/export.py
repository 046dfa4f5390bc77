"""The figures of a run as files, for papers and slides."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import matplotlib
from matplotlib.figure import Figure

from ..errors import InputError
from ..experiment.files import write_bytes
from ..experiment.results import Results
from ..plots import (
    class_sheet,
    combined,
    curves,
    efficient_bars,
    film_strip,
    kept_bars,
    noise_curves,
    planted_bars,
    similarity_bars,
)
from ..plots._select import checks_of, metrics_of
from ..plots._style import save
from ..plots.noise import noise_rows

Format = Literal["png", "pdf", "svg"]

# the same results give the same bytes: no time of day, no random identifiers; text stays text in PDF and SVG
_STYLE: dict[Any, Any] = {"svg.hashsalt": "heatproof", "svg.fonttype": "none", "pdf.fonttype": 42}
_NO_DATE: dict[str, dict[str, None]] = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}


def figures(results: Results, format: Format = "png") -> list[Path]:
    """Write every figure of a run into its folder ``figures``.

    Args:
        results: what a run left.
        format: png (150 dpi), pdf or svg.

    Returns:
        The files: ``curves-CHECK-METRIC`` and ``methods-CHECK-METRIC`` for checks with stages, ``bars-CHECK`` for those
        with one, ``calibration-noise``, ``efficient``, ``kept``, ``planted``; for the photos ``strip-CHECK-IMAGE-VIEW``
        and ``classes-IMAGE``; each only where the run measured it.

    Raises:
        InputError: another format.
        RunError: the folder cannot be written.
    """
    if format not in get_args(Format):
        raise InputError(f"figures(format={format!r}): expected one of {', '.join(get_args(Format))}")
    folder = results.folder / "figures"
    return [write_bytes(folder / f"{_safe(name)}.{format}", image(figure, format)) for name, figure in _drawn(results)]


def image(figure: Figure, format: Format) -> bytes:
    """A figure as the bytes of a file."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(_STYLE):
        save(figure, buffer, format=format, metadata=_NO_DATE[format])
    return buffer.getvalue()


def _drawn(results: Results) -> Iterator[tuple[str, Figure]]:
    for check in checks_of(results, staged=True):
        for metric in metrics_of(results, check):
            name = f"{_safe(check)}-{_safe(metric)}"
            yield f"curves-{name}", curves(results, metric, check)
            yield f"methods-{name}", combined(results, metric, check)
    for check in checks_of(results, staged=False):
        yield f"bars-{_safe(check)}", similarity_bars(results, check, metrics_of(results, check))
    yield from _single(results)
    for strip in results.strips:
        name = f"strip-{_safe(strip.check)}-{strip.image}"
        yield f"{name}-absolute", film_strip(strip, view="absolute")
        yield f"{name}-diverging", film_strip(strip, view="diverging")
    for sheet in results.sheets:
        yield f"classes-{sheet.image}", class_sheet(sheet)


def _single(results: Results) -> Iterator[tuple[str, Figure]]:
    """Figures of which a run has one at most."""
    if len(noise_rows(results)):
        yield "calibration-noise", noise_curves(results)
    if len(results.efficient):
        yield "efficient", efficient_bars(results)
    if len(results.kept):
        yield "kept", kept_bars(results)
    if len(results.planted):
        yield "planted", planted_bars(results)


def _safe(name: str) -> str:
    """A name without folders or odd characters: what a run folder says may not be this program's."""
    return re.sub(r"[^\w.]+", "-", name).strip("-")
