"""Pictures of a run, read back: film strips of randomisations, and maps of every class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from ..data.labels import class_name
from .files import read_job, read_maps


@dataclass(frozen=True)
class Strip:
    """The film strip of one photo: its maps under the original network and under every measured stage.

    Attributes:
        image: index of the photo in the data set.
        title: what to print over it, such as "tench.jpg: tench 0.97".
        picture: the photo as the model saw it, uint8 ``(H, W, 3)``.
        stages: names of the columns, "original" first.
        maps: for each method raw float32 ``(1 + stages, C, H, W)`` or ``(1 + stages, 1, H, W)``.
        check: whose stages they are.
    """

    image: int
    title: str
    picture: np.ndarray[Any, Any]
    stages: list[str]
    maps: dict[str, np.ndarray[Any, Any]]
    check: str = "cascading"


@dataclass(frozen=True)
class ClassSheet:
    """The maps of one photo for several classes (CGI paper, figure 1).

    Attributes:
        image: index of the photo in the data set.
        title: what to print over it.
        picture: the photo as the model saw it, uint8 ``(H, W, 3)``.
        classes: names of the columns.
        target: place of the explained class among them.
        maps: for each method raw float32 ``(classes, C, H, W)``; all tiles of a method share one scale.
    """

    image: int
    title: str
    picture: np.ndarray[Any, Any]
    classes: list[str]
    target: int
    maps: dict[str, np.ndarray[Any, Any]]


def film_strips(folder: Path, config: dict[str, Any]) -> list[Strip]:
    """The strips of every weight check, in the order of the checks."""
    jobs = [read_job(folder / "jobs" / f"{key}.json") for key in config["jobs"]]
    chains = [j for j in jobs if j and j["job"]["kind"] == "chain" and j["job"]["seed"] == 0]
    return [
        _strip(folder, config, j, i, check)
        for check in config["checks"]
        for i in config["strips"]
        for j in chains
        if j["job"]["check"] == check and i in j["job"]["keep"] and j["maps"]
    ]


def _strip(folder: Path, config: dict[str, Any], job: dict[str, Any], image: int, check: str) -> Strip:
    held = read_maps(folder / "maps" / job["maps"])
    plan = config["check_plan"][check]
    maps = {}
    for method in config["methods"]:
        found = [held.get(f"{method}|{image}|{check}|{p}") for p in (0, *plan["stages"])]
        shape = next((f.shape for f in found if f is not None), None)
        if shape is not None:
            maps[method] = np.stack([np.full(shape, np.nan, np.float32) if f is None else f.numpy() for f in found])
    names = [f"{stage}: {name}" for stage, name in zip(plan["stages"], plan["names"], strict=True)]
    if check == "graded":
        names = [f"{100 * share:.0f} % new" for share in plan["shares"]]
    return Strip(image, title_of(config, image), picture_of(folder, image), ["original", *names], maps, check)


def class_sheets(folder: Path, config: dict[str, Any], table: pd.DataFrame) -> list[ClassSheet]:
    """The sheets of the check classes, one a photo."""
    shown = table[table["check"] == "classes"]
    jobs = [read_job(folder / "jobs" / f"{key}.json") for key in config["jobs"]]
    return [
        _sheet(folder, config, shown[shown["image"] == i], j["maps"], i)
        for j in jobs
        if j and j["job"]["kind"] == "classes" and j["maps"]
        for i in j["job"]["shard"]
    ]


def _sheet(folder: Path, config: dict[str, Any], rows: pd.DataFrame, file: str, image: int) -> ClassSheet:
    held = read_maps(folder / "maps" / file)
    classes = [int(c) for c in rows[rows["metric"] == "class"].sort_values("stage")["value"]]
    maps = {
        m: np.stack([held[f"{m}|{image}|classes|{place}"].numpy() for place in range(len(classes))])
        for m in dict.fromkeys(rows[rows["metric"] == "total"]["method"])
    }
    names, target = config.get("class_names") or [], config["images"][image]["target"]
    titles = [class_name(names, c) if names else f"class {c}" for c in classes]
    return ClassSheet(image, title_of(config, image), picture_of(folder, image), titles, classes.index(target), maps)


def picture_of(folder: Path, image: int) -> np.ndarray[Any, Any]:
    """A photo as the model saw it, uint8 ``(H, W, 3)``."""
    with Image.open(folder / "photos" / f"{image}.png") as file:
        return np.asarray(file.convert("RGB"))


def title_of(config: dict[str, Any], image: int) -> str:
    """The name of a photo, and the class that the network gives it with its probability."""
    row = config["images"][image]
    chance = f" ({100 * row['probability']:.0f} %)" if "probability" in row else ""
    return f"{row['name']}: {row.get('predicted_name', row.get('predicted', row['target']))}{chance}"
