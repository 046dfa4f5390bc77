"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ..errors import RunError


def write(path: Path, content: bytes) -> Path:
    """Write to a temporary name beside ``path`` and rename, so that a kill or a full disk leaves the old file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise RunError(
            f"cannot write {path} ({len(content)} bytes): {error.strerror or error}; make room or check the folder's "
            "permissions, and run the same command again: finished jobs are kept"
        ) from error
    finally:
        with contextlib.suppress(OSError):  # the rename took it, or the error above says why it never came to be
            temporary.unlink()
    return path
