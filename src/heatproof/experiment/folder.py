"""A run folder: claimed by one configuration, resumed by the same command, refused to another."""

from __future__ import annotations

import json
import os
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
    "caveats", "remarks", "preset", "reduced", "published", "photos",
)  # fmt: skip

CONFIG = "config.json"
PLANTED, PATCHED = "planted", "patched"
NETWORKS = ("labels", PLANTED, PATCHED)
"""Folders of networks that a check trains before or during the run."""


def claim(folder: Path, config: dict[str, Any], keys: Sequence[str]) -> None:
    """Make the folder this run's, or find that it is already.

    Raises:
        RunError: it holds a run of another configuration, or something that is no run; names what differs.
    """
    if why := refusal(folder, config):
        raise RunError(why)
    write_json(folder / CONFIG, {**config, "jobs": list(keys)})


def refusal(folder: Path, config: Mapping[str, Any]) -> str:
    """Why a folder cannot be this run's; "" where it can."""
    if os.path.exists(folder) and not os.path.isdir(folder):  # unlike Path's, no error for a name that is too long
        return f"{folder} is a file; choose a folder with out= (--out)"
    if differs := differences(folder, config):
        what = "; ".join(f"{k}: {_short(old)} there, {_short(new)} now" for k, old, new in differs[:4])
        return f"{folder} holds another run ({what}); choose another folder with out= (--out), or delete it"
    if holds_no_run(folder):
        return f"{folder} is not empty and holds no run; choose another folder with out= (--out)"
    return ""


def holds_no_run(folder: Path) -> bool:
    """Whether a path is taken by something that is no run; networks that a check trained ahead of one do not count."""
    if os.path.isfile(folder):
        return True
    try:
        found = {path.name for path in folder.iterdir()} if os.path.exists(folder) else set()
    except OSError as error:
        raise RunError(f"{folder} cannot be read: {error.strerror}; choose another folder with out= (--out)") from error
    return CONFIG not in found and bool(found - set(NETWORKS))


def differences(folder: Path, config: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """What a run in the folder was asked for otherwise: (key, there, now); empty where there is no run or the same."""
    if not os.path.exists(folder / CONFIG):
        return []
    try:
        old = read_config(folder)
    except RunError:  # damaged: it is written anew, and jobs are known by their own keys
        return []
    new = json.loads(json.dumps(config, default=str))
    keys = [k for k in {**old, **new} if k not in (*NOT_IDENTITY, "jobs")]
    return [(k, old.get(k), new.get(k)) for k in keys if old.get(k) != new.get(k)]


def read_config(folder: Path, *needs: str) -> dict[str, Any]:
    """The configuration of a run; one without the keys that are needed is of another version, or damaged."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{folder} holds no run: it has no {path.name}; give a folder that --out named") from None
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(
            f"{path} cannot be read ({error}); the same command that made the folder writes it anew, and finished jobs stay"
        ) from error
    if not isinstance(config, dict):
        raise RunError(
            f"{path} holds a {type(config).__name__}, no configuration of a run; the same command that made the folder "
            "writes it anew, and finished jobs stay"
        )
    if missing := [key for key in needs if key not in config]:
        raise RunError(
            f"{path} lacks {', '.join(missing)}: it is damaged, or of another version of heatproof; the same command that "
            "made the folder writes it anew, and finished jobs stay"
        )
    return config


def save_photos(folder: Path, photos: Mapping[int, np.ndarray[Any, Any]]) -> None:
    """Photos that a report shows, as the model saw them, so that it can be made again."""
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


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) < 60 else text[:57] + "..."
