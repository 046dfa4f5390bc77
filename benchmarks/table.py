"""The rows found, as one line each and as the table at the end."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from rich.table import Table

from .measure import Found, mark


def line(found: Found) -> str:
    """What was found of one row, with its absolute numbers."""
    return ": ".join((found["id"], f"{mark(found)}, {', '.join(_numbers(found))}"))


def table(found: Sequence[Found]) -> Table:
    """All rows with targets and ratios; of long ones the ratio of each run."""
    shown = Table(box=None, pad_edge=False)
    for column in ("row", "against", "target", "time", "memory", ""):
        shown.add_column(column, no_wrap=column != "against")
    for about in found:
        shown.add_row(about["id"], about["against"], _target(about), _time(about), _space(about), mark(about))
    return shown


def markdown(found: Sequence[Found]) -> str:
    """The same rows as a table for a page, with what was measured of both sides."""
    lines = ["| row | what | against | target | time | memory | | measured |", "|---|---|---|---|---|---|---|---|"]
    for about in found:
        cells = (_target(about), _time(about), _space(about), mark(about), "; ".join(_numbers(about)))
        lines.append("| " + " | ".join((f"`{about['id']}`", about["what"], about["against"], *cells)) + " |")
    return "\n".join(lines) + "\n"


def _numbers(found: Found) -> list[str]:
    if "failed" in found:
        return [found["failed"]]
    if "cannot" in found:
        return [f"{median(found['ours']):.3f} s", found["cannot"]]
    numbers = [found["agree"]]
    if "seconds" in found:
        sizes = ", ".join(f"{size}: {seconds:.3f} s" for size, seconds in found["seconds"].items())
        numbers += [sizes, f"exponent {found['ratio']:.2f}"]
    elif "ours" in found:
        numbers += [f"{median(found['ours']):.3f} s against {median(found['theirs']):.3f} s"]
    if "memory" in found:
        numbers += [f"{found['memory'][0]:.0f} against {found['memory'][1]:.0f} MiB"]
    return numbers


def _target(found: Found) -> str:
    if found["target"] is None:
        return ""
    return f"n^{found['target']:g}" if "seconds" in found else f"{found['target']:.2f}x"


def _time(found: Found) -> str:
    if "ratio" not in found:
        return ""
    if "seconds" in found:
        return f"n^{found['ratio']:.2f}"
    few = len(found["ours"]) < 5
    return f"{found['ratio']:.2f}x" + (f" ({', '.join(f'{r:.2f}' for r in found['ratios'])})" if few else "")


def _space(found: Found) -> str:
    return f"{found['memory ratio']:.2f}x of {found['memory target']:g}x" if "memory ratio" in found else ""
