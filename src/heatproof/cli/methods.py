"""The command ``methods``."""

from __future__ import annotations

from rich.table import Table

from .console import console
from .result import Result

HINT = (
    "\nOptions in brackets: integrated_gradients(steps=20). Methods of methods: smooth(gradcam, n=10), "
    "compete(deeplift), vargrad(gradient), times_input(gradcam). Methods of "
    "captum: captum:Saliency(abs=False), captum:LayerGradCam(layer='layer4'). By default an audit takes those marked *."
)


def methods() -> Result:
    """List the methods, with their source.

    Example: heatproof methods
    """
    from ..audit import DEFAULT_METHODS
    from ..catalogue import catalogue

    table = Table(box=None, pad_edge=False)
    for column in ("method", "map", "what it is", "source"):
        table.add_column(column, overflow="fold", no_wrap=column == "method")
    entries = catalogue()
    for entry in entries:
        mark = "*" if entry.name in DEFAULT_METHODS else ""
        table.add_row(entry.name + mark, entry.map, entry.about, entry.source)
    console.print(table)
    console.print(HINT)
    return Result([entry.name for entry in entries], {"methods": [entry._asdict() for entry in entries]})
