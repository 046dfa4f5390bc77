"""What a finished run left, in forms that other programs read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from .engine.chunks import chunk_slices
from .errors import InputError
from .experiment.csv_files import write_tables
from .experiment.file_names import file_names
from .experiment.folder import CONFIG, read_config
from .experiment.kept_maps import kept_maps
from .maps_files import save_maps, save_views

Format = Literal["safetensors", "npz", "png", "csv"]
COLUMNS = 8
"""Images on a sheet of tiles."""


def export(
    folder: str | Path,
    to: str = "safetensors",
    methods: Sequence[str] | None = None,
    out: str | Path | None = None,
    *,
    stages: bool = False,
    tiles: bool = False,
) -> list[Path]:
    """Write the maps or the tables of a finished run as files.

    Args:
        folder: an audit, a bench, a remove-and-retrain run (tables alone), or a folder of `explain` (maps alone).
        to: safetensors or npz: one file an image, with the raw values of every method; png: pictures, one file for each
            map and view, or sheets of tiles; csv: every table.
        methods: those maps alone; None for all.
        out: folder for the files; None is "export" in the run's own.
        stages: also maps of randomised networks that the audit kept, under METHOD|CHECK|STAGE|SEED.
        tiles: png: sheets, one row a method and one column an image.

    Raises:
        InputError: another form, methods that are not there, nothing to export. RunError: the run is not finished.
    """
    folder = Path(folder)
    target = Path(out) if out is not None else folder / "export"
    if to not in get_args(Format):
        raise InputError(f"export(to={to!r}): expected one of {', '.join(get_args(Format))}")
    if target.resolve() == folder.resolve():
        raise InputError(
            f"out={str(target)!r} is the run's own folder, whose files would be overwritten; choose another"
        )
    if to == "csv":
        return write_tables(target, _results(folder))
    maps = {image: _chosen(held, methods) for image, held in kept_maps(folder, stages).items()}
    stems = file_names([Path(image).stem for image in maps], "image")
    if to != "png":
        return [
            file
            for stem, held in zip(stems, maps.values(), strict=True)
            for file in save_maps(target / f"{stem}.{to}", held)
        ]
    return _sheets(target, maps) if tiles else _singly(target, stems, list(maps.values()))


def _chosen(held: Mapping[str, Tensor], methods: Sequence[str] | None) -> dict[str, Tensor]:
    known = list(dict.fromkeys(name.split("|")[0] for name in held))
    if methods is not None and (unknown := [name for name in methods if name not in known]):
        raise InputError(f"there are no maps of {unknown[0]!r}; expected some of {', '.join(known)}")
    return {name: values for name, values in held.items() if methods is None or name.split("|")[0] in methods}


def _singly(target: Path, stems: Sequence[str], maps: Sequence[Mapping[str, Tensor]]) -> list[Path]:
    single = {f"{stem}-{name}": values for stem, held in zip(stems, maps, strict=True) for name, values in held.items()}
    return [
        file
        for name, values in zip(file_names(list(single), "map"), single.values(), strict=True)
        for file in save_views(target, name, values)
    ]


def _sheets(target: Path, maps: Mapping[str, Mapping[str, Tensor]]) -> list[Path]:
    """Sheets of a few images each; a method that is missing for one of them is left out of its sheet."""
    images, sheets = list(maps), []
    for number, part in enumerate(chunk_slices(len(images), COLUMNS), 1):
        shown = images[part]
        shared = [name for name in maps[shown[0]] if all(name in maps[image] for image in shown)]
        stacks = {name: torch.stack([maps[image][name] for image in shown]) for name in shared}
        sheets += save_maps(target / f"tiles-{number}.png", stacks, [Path(image).stem for image in shown])
    return sheets


def _results(folder: Path) -> Any:
    """Everything that a run's report is made of."""
    if not (folder / CONFIG).exists():
        raise InputError(f"{folder} holds no run, and no tables; maps of explain are there with --to safetensors")
    config = read_config(folder)
    if "bench" in config:
        from .experiment.bench_results import load_bench

        return load_bench(folder)
    if "directions" in config:
        from .experiment.retrain_results import load_retrain

        return load_retrain(folder)
    if "claims" in config:
        raise InputError(f"{folder} holds claims of papers, whose tables are there already: claims.csv, numbers.csv")
    from .experiment.results import load

    return load(folder)
