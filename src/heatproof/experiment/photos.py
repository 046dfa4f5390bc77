"""Photos of a run with the maps of the original network, read back one photo at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .files import read_job, read_some_maps
from .pictures import picture_of, title_of

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Photo:
    """One photo, what the network says of it, and where its maps are.

    Attributes:
        image: index of the photo in the data set.
        title: what to print over it, such as "tench.jpg: tench (97 %)".
        explained: the class that the maps explain, where it is not the one in the title; else "".
        picture: reads the photo as the model saw it, uint8 ``(H, W, 3)``.
        maps: reads the raw maps: for each method that has one, float32 ``(C, H, W)`` or ``(1, H, W)``.
    """

    image: int
    title: str
    explained: str
    picture: Callable[[], Array]
    maps: Callable[[], dict[str, Array]]


def kept_photos(folder: Path, config: dict[str, Any]) -> list[Photo]:
    """The photos whose original maps a run kept to be shown; none where it kept no maps."""
    wanted = set(config.get("photos", []))
    return [
        _photo(folder, config, folder / "maps" / job["maps"], image)
        for key in config["jobs"]
        if key.startswith("null-") and (job := read_job(folder / "jobs" / f"{key}.json")) and job["maps"]
        for image in job["job"]["keep"]
        if image in wanted
    ]


def _photo(folder: Path, config: dict[str, Any], file: Path, image: int) -> Photo:
    row = config["images"][image]
    other = row.get("predicted", row["target"]) != row["target"]
    explained = str(row.get("target_name", f"class {row['target']}")) if other else ""
    maps = partial(_maps, file, image, config["methods"])
    return Photo(image, title_of(config, image), explained, partial(picture_of, folder, image), maps)


def _maps(file: Path, image: int, methods: list[str]) -> dict[str, Array]:
    names = {f"{method}|{image}|null|0": method for method in methods}
    held = read_some_maps(file, names.__contains__)
    return {names[name]: maps.numpy() for name, maps in held.items()}
