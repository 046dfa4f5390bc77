"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Gives a path beside `path`, whose folder is made; at the end it is renamed to `path`, or gone after an error.

    Its name is drawn, since processes of two machines on one folder may have the same number.

    Raises:
        OSError: of the disk.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)  # a link of that name would be written through
        yield temporary
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):  # the rename took it, or what was raised says why it never came to be
            temporary.unlink()
