"""Names of files from names of anything."""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST = 200
"""Bytes of the stem of a file name: disks take 255, of which endings and the name while it is written need some."""


def file_names(texts: Sequence[str], kind: str) -> list[str]:
    """Stems without folders or odd characters, not too long for a disk, each once; KIND-NUMBER where nothing is left.

    Example:
        >>> file_names(["rectgrad(q=90)", "../a b", "a/b", ""], "map")
        ['rectgrad_q_90', 'a_b', 'a_b-2', 'map-3']
    """
    stems: dict[str, None] = {}
    for i, text in enumerate(texts):
        stem = re.sub(r"[^\w.-]+", "_", text).strip("._") or f"{kind}-{i}"
        stem = stem.encode()[:LONGEST].decode(errors="ignore")
        number = i
        while stem in stems:
            stem, number = f"{stem}-{number}", number + len(texts)
        stems[stem] = None
    return list(stems)
