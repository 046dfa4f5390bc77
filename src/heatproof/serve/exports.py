"""What can be taken along: a sheet, and the raw maps in two formats."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable
from typing import Any

import numpy as np
from safetensors.torch import save
from torch import Tensor

from .._version import __version__
from ..data.labels import class_name
from ..errors import InputError
from ..plots._style import save as save_figure
from ..plots.sheet import sheet
from ..visible import visible
from .session import Asked, Session


def exported(session: Session, asked: Asked, kind: str) -> tuple[bytes, str]:
    """A file of the maps that are held, and its media type.

    Args:
        kind: one of `KINDS`.

    Raises:
        InputError: another kind, nothing asked for, or a map that is not held any more.
    """
    if kind not in KINDS:
        raise InputError(f"export {kind!r}; expected one of {', '.join(KINDS)}")
    make, media = KINDS[kind]
    maps = {
        _label(asked, name, k): session.maps.get(asked.key(name, k)) for name in asked.methods for k in asked.classes
    }
    found = {label: saliency for label, saliency in maps.items() if saliency is not None}
    if not found or len(found) < len(maps):
        gone = ", ".join(sorted(set(maps) - set(found))[:3]) or "anything"
        raise InputError(f"no map of {gone} is held (any more); have it computed, then export again")
    return make(asked, found), media


def audit_command(asked: Asked) -> str:
    """The command that puts these methods to the test on a folder of photos."""
    return shlex.join([*asked.served.command, "--images", "PHOTOS", "--methods", ", ".join(asked.methods)])


def facts(asked: Asked) -> dict[str, str]:
    """What a file of raw maps says of itself."""
    names = {str(k): class_name(asked.served.names, k) for k in asked.classes}
    return {"photo": asked.photo.name, "model": asked.served.name, "classes": str(names), "heatproof": __version__}


def _sheet(asked: Asked, maps: dict[str, Tensor]) -> bytes:
    buffer, chances = io.BytesIO(), asked.served.chances(asked.image.pixels)
    said = ", ".join(f"{class_name(asked.served.names, k)} ({100 * float(chances[k]):.0f} %)" for k in asked.classes)
    title = f"{asked.photo.name}: {said}"
    save_figure(sheet(asked.image.picture(0), {n: m.numpy() for n, m in maps.items()}, title), buffer, format="png")
    return buffer.getvalue()


def _safetensors(asked: Asked, maps: dict[str, Tensor]) -> bytes:
    held = {name: saliency.contiguous() for name, saliency in maps.items()}
    return save(held, metadata={name: visible(text) for name, text in facts(asked).items()})


def _npz(asked: Asked, maps: dict[str, Tensor]) -> bytes:
    del asked
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: saliency.numpy() for name, saliency in maps.items()}
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _label(asked: Asked, method: str, number: int) -> str:
    """How a map is called in a file: its method, and the number of its class where there are several."""
    return method if len(asked.classes) == 1 else f"{method} class {number}"


KINDS: dict[str, tuple[Callable[[Asked, dict[str, Tensor]], bytes], str]] = {
    "png": (_sheet, "image/png"),
    "safetensors": (_safetensors, "application/octet-stream"),
    "npz": (_npz, "application/octet-stream"),
}
