"""A run folder: claimed by one configuration, resumed by the same command, refused to another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from ..errors import RunError
from .files import write, write_json

NOT_IDENTITY = (
    "date", "command", "warnings", "method_identities", "score_identity", "images", "thresholds", "versions",
    "caveats", "remarks",
)  # fmt: skip

NETWORKS = ("labels", "planted")
"""Folders of networks that a check trains before or during the run."""


def claim(folder: Path, config: dict[str, Any], keys: Sequence[str]) -> None:
    """Make the folder this run's, or find that it is already.

    Raises:
        RunError: it holds a run of another configuration, or something that is no run; names what differs.
    """
    path = folder / "config.json"
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file; choose a folder with out= (--out)")
    if path.exists():
        differs = _differences(read_config(folder), config)
        if differs:
            what = "; ".join(f"{k}: {_short(old)} there, {_short(new)} now" for k, old, new in differs[:4])
            raise RunError(
                f"{folder} holds another run ({what}); choose another folder with out= (--out), or delete it"
            )
    elif folder.exists() and any(found.name not in NETWORKS for found in folder.iterdir()):
        raise RunError(f"{folder} is not empty and holds no run; choose another folder with out= (--out)")
    write_json(path, {**config, "jobs": list(keys)})


def read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{folder} holds no run: there is no {path.name} in it") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}); delete the folder and run again") from error
    return config


def save_photos(folder: Path, photos: Mapping[int, np.ndarray[Any, Any]]) -> None:
    """The photos of the film strip, as the model saw them, so that a report can be made again."""
    for i, picture in photos.items():
        path = folder / "photos" / f"{i}.png"
        if not path.exists():
            write(path, lambda temporary, p=picture: Image.fromarray(p).save(temporary, format="PNG"))  # type: ignore[misc]


def to_picture(image: Tensor) -> np.ndarray[Any, Any]:
    """A tensor ``(C, H, W)`` of unknown units as uint8 ``(H, W, 3)``, from its own minimum to its maximum."""
    plain = image.detach().float().cpu()
    plain = plain[:3] if len(plain) >= 3 else plain[:1].expand(3, -1, -1)
    low, high = plain.min(), plain.max()
    scaled = (plain - low) / (high - low).clamp(min=1e-12)
    return (scaled * 255).round().byte().permute(1, 2, 0).numpy()


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    plain = json.loads(json.dumps(new, default=str))
    keys = [k for k in {**old, **plain} if k not in (*NOT_IDENTITY, "jobs")]
    return [(k, old.get(k), plain.get(k)) for k in keys if old.get(k) != plain.get(k)]


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) < 60 else text[:57] + "..."
