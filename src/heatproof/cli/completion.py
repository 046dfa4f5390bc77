"""Values that a shell completes, none of which needs torch; names after commas too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from .names import (
    AUDIT_PRESETS,
    CHECKS,
    COMBINATORS,
    INITS,
    METRICS,
    PAPERS,
    RETRAIN_PRESETS,
    SCORES,
    VERDICTS,
    claim_ids,
    method_names,
    model_names,
)

LIBRARIES = ("torchvision:", "timm:")
Complete = Callable[[str], list[str]]
"""From what was typed to what it may become; typer leaves out what begins otherwise."""


def one_of(*names: str) -> Complete:
    """A value that is one of some names."""

    def complete(incomplete: str) -> list[str]:
        return list(names)

    return complete


def some_of(names: Callable[[], Iterable[str]]) -> Complete:
    """A value of names by commas: what was typed up to the last comma stays, and none comes twice."""

    def complete(incomplete: str) -> list[str]:
        before, comma, rest = incomplete.rpartition(",")
        space = rest[: len(rest) - len(rest.lstrip())]
        taken = {word.strip() for word in before.split(",")}
        return [f"{before}{comma}{space}{name}" for name in names() if name not in taken]

    return complete


methods = some_of(lambda: [*method_names(), *(f"{name}(" for name in COMBINATORS), "all"])
checks = some_of(lambda: [*CHECKS, "all"])
metrics = some_of(lambda: METRICS)
fail_on = some_of(lambda: VERDICTS)
scores, inits = one_of(*SCORES), one_of(*INITS)
audit_presets, retrain_presets = one_of(*AUDIT_PRESETS), one_of(*RETRAIN_PRESETS)
devices, figures = one_of("auto", "cpu", "cuda", "cuda:0", "cuda:1"), one_of("png", "pdf", "svg")
exports = one_of("safetensors", "npz", "png", "csv")
splits, classes = one_of("test", "train"), one_of("fixed", "predicted")
draws, noise = one_of("nested", "fresh"), one_of("shared", "fresh")
batch_norm, keep_maps = one_of("reestimate", "keep", "reset"), one_of("strips", "all", "none")
budgets, engines, paper_budgets = one_of("90s", "10m", "2h", "full"), one_of("local", "ray"), one_of("quick", "full")


def models(incomplete: str) -> list[str]:
    """Networks of torchvision and timm, files of programs, and the functions in a file of Python.

    The library's name alone stands for all of its networks: a shell puts a space behind what can go on in no other way.
    """
    file, colon, _ = incomplete.rpartition(":")
    if colon and file.endswith(".py"):
        return [f"{file}:{name}" for name in _written(Path(file))]
    libraries = [library for library in LIBRARIES if library.startswith(incomplete) or incomplete.startswith(library)]
    if libraries and incomplete:
        return [f"{library}{name}" for library in libraries for name in model_names(library[:-1])]
    return [*libraries, *_files(incomplete)]


def claims(incomplete: str) -> list[str]:
    """Papers; the ids of claims once their first letter was typed, since finding them takes seconds."""
    return claim_ids() if incomplete.startswith("S") else ["all", *PAPERS]


def _files(incomplete: str) -> list[str]:
    """Programs of torch.export, and files of Python with the colon that a function's name follows; none where a folder
    could be meant: then the shell completes the path."""
    place = Path(incomplete + "_").parent
    found = [p for p in place.glob("*") if str(p).startswith(incomplete.removeprefix("./"))]
    if incomplete and any(p.is_dir() for p in found):
        return []
    named = [f"{p}:" if p.suffix == ".py" else str(p) for p in found if p.suffix in (".pt2", ".py")]
    return sorted(("./" if incomplete.startswith("./") else "") + name for name in named)


def _written(file: Path) -> list[str]:
    """Functions and classes of a file, which is read and not run."""
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    return re.findall(r"^(?:def|class) ([A-Za-z]\w*)", text, re.MULTILINE)
