"""The command ``methods``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rich.table import Table

from .console import console
from .result import Result

HINT = (
    "\nOptions in brackets: integrated_gradients(steps=20). Methods of methods: smooth(gradcam, n=10), "
    "compete(deeplift), vargrad(gradient), times_input(gradcam). By default an audit takes those marked *."
)


def methods() -> Result:
    """List the methods, with their source.

    Example: heatproof methods
    """
    from ..audit import DEFAULT_METHODS
    from ..types import METHODS

    rows = [_row(name, METHODS[name]) for name in sorted(METHODS)]
    table = Table(box=None, pad_edge=False)
    for column in ("method", "map", "what it is", "source"):
        table.add_column(column, overflow="fold", no_wrap=column == "method")
    for row in rows:
        mark = "*" if row["name"] in DEFAULT_METHODS else ""
        shape = "channels" if row["channels"] else "one channel"
        table.add_row(row["name"] + mark, shape + (", signed" if row["signed"] else ""), row["about"], row["source"])
    console.print(table)
    console.print(HINT)
    return Result([row["name"] for row in rows], {"methods": rows})


def _row(name: str, made: Any) -> dict[str, Any]:
    """What is known about a method, in a line."""
    from ..combine import Composed
    from ..types import spec_of

    spec = spec_of(made)
    about = (made.__doc__ or "").strip().splitlines()[0].split("``")[0].strip()
    if isinstance(made, Composed):
        about = f"{replace(made, title='')!r}: {about[0].lower()}{about[1:]}"
    return {
        "name": name,
        "channels": bool(spec and spec.channels),
        "signed": bool(spec and spec.signed),
        "about": about,
        "source": spec.source if spec else "",
    }
