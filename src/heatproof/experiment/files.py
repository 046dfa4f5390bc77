"""Files of a run: written under a temporary name and renamed, so that a file that is there is whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import RunError


def write(path: Path, content: Callable[[Path], object]) -> Path:
    """Let `content` write a temporary file beside `path`, then rename it.

    Raises:
        RunError: disk full, or a folder that cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        content(temporary)
        temporary.replace(path)
    except OSError as error:
        raise RunError(_disk_message(path, error)) from error
    except SafetensorError as error:  # its writer reports a full disk in its own way
        raise RunError(f"{path} could not be written: {error}; finished jobs stay, the same command resumes") from error
    finally:
        with contextlib.suppress(OSError):  # the rename took it, or the error above says why it never came to be
            temporary.unlink()
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    return write(path, lambda temporary: temporary.write_bytes(content))


def write_text(path: Path, text: str) -> Path:
    def content(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    return write(path, content)


def write_json(path: Path, value: Any) -> Path:
    return write_text(path, json.dumps(value, indent=1, sort_keys=True, default=str) + "\n")


def write_maps(path: Path, maps: dict[str, Tensor]) -> Path:
    return write(path, lambda temporary: save_file(maps, temporary))


def read_maps(path: Path) -> dict[str, Tensor]:
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path} cannot be read ({error}); delete it and run the same command again") from error


def maps_whole(path: Path) -> bool:
    """Whether the header of a file of maps fits its length."""
    try:
        with safe_open(path, framework="pt"):
            return True
    except (OSError, SafetensorError):
        return False


def write_rows(path: Path, key: str, rows: list[Any], extra: dict[str, Any]) -> Path:
    """The rows of a finished job, with a checksum that tells a damaged file."""
    body = json.dumps(rows)
    value = {"key": key, "sha256": hashlib.sha256(body.encode()).hexdigest(), **extra}
    return write_text(path, json.dumps(value)[:-1] + f', "rows": {body}}}\n')


def read_rows(path: Path) -> list[Any] | None:
    """The rows of a job; None where the file is missing or damaged, so that the job is done again."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        rows: list[Any] = value["rows"]
        whole = value["sha256"] == hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return rows if whole else None


def read_job(path: Path) -> dict[str, Any] | None:
    """A job's settings and the name of its maps, without checking its rows."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return {"job": value["job"], "maps": value["maps"]}
    except (OSError, ValueError, KeyError):
        return None


def _disk_message(path: Path, error: OSError) -> str:
    kept = "finished jobs are kept, and the same command goes on from there"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full, cannot write {path}; make room: {kept}"
    return (
        f"cannot write {path}: {error.strerror or error}; mend that or choose another folder with out= (--out): {kept}"
    )
