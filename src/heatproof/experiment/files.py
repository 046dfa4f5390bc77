"""Files of a run: written under a temporary name and renamed, so that a file that is there is whole."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load, load_file, save_file
from torch import Tensor

from ..errors import RunError
from ..whole import written_whole


def write(path: Path, content: Callable[[Path], object]) -> Path:
    """Let `content` write a temporary file beside `path`, then rename it.

    Raises:
        RunError: disk full, or a folder that cannot be written to.
    """
    try:
        with written_whole(path) as temporary:
            content(temporary)
    except OSError as error:
        raise RunError(_disk_message(path, error)) from error
    except SafetensorError as error:  # its writer reports a full disk in its own way
        raise RunError(f"{path} could not be written: {error}; finished jobs stay, the same command resumes") from error
    return path


def check_makeable(folder: Path) -> None:
    """Make a folder and take it away again: for what takes minutes before its first file is written.

    Raises:
        RunError: it cannot be made.
    """
    try:
        new = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for path in new:
            path.rmdir()
    except OSError as error:
        raise RunError(_disk_message(folder, error)) from error


def write_bytes(path: Path, content: bytes) -> Path:
    return write(path, lambda temporary: temporary.write_bytes(content))


def write_text(path: Path, text: str) -> Path:
    def content(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:  # names of undecodable files
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
        return dict(load_file(path) if _is_text(path) else load(path.read_bytes()))
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> RunError:
    return RunError(f"{path} cannot be read ({error}); delete it and run the same command again")


def read_some_maps(path: Path, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    """The maps of a file whose names are wanted; the others are left on the disk."""
    if not _is_text(path):
        return {name: maps for name, maps in read_maps(path).items() if wanted(name)}
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if wanted(name)}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error) from error


def _is_text(path: Path) -> bool:
    """Whether a path is UTF-8, the only one that safetensors opens by itself."""
    return not any("\ud800" <= letter <= "\udfff" for letter in str(path))


def maps_whole(path: Path, sha256: str) -> bool:
    """Whether a file of maps is the one that a job wrote, to the last byte."""
    try:
        status = path.stat()
        return _hash_of(path, (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)) == sha256
    except OSError:
        return False


def file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=4096)
def _hash_of(path: Path, state: tuple[int, ...]) -> str:
    """The hash of a file in this state: a run asks more than once which of its jobs are finished."""
    del state
    return file_hash(path)


def write_rows(path: Path, key: str, rows: list[Any], extra: dict[str, Any]) -> Path:
    """The rows of a finished job, with a checksum over all of the file that tells a damaged one."""
    value = {"key": key, **extra, "rows": rows}
    return write_text(path, json.dumps({"sha256": _digest(value), **value}) + "\n")


def read_rows(path: Path) -> list[Any] | None:
    """The rows of a job; None where the file is missing or damaged, so that the job is done again."""
    value = _read(path)
    return None if value is None else list(value["rows"])


def read_job(path: Path) -> dict[str, Any] | None:
    """All of a job's file but its rows: its settings, and the name and hash of its maps; None as in `read_rows`."""
    value = _read(path)
    return None if value is None else {name: held for name, held in value.items() if name != "rows"}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return value if value.pop("sha256") == _digest(value) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _disk_message(path: Path, error: OSError) -> str:
    kept = "finished jobs are kept, and the same command goes on from there"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full, cannot write {path}; make room: {kept}"
    return (
        f"cannot write {path}: {error.strerror or error}; mend that or choose another folder with out= (--out): {kept}"
    )
