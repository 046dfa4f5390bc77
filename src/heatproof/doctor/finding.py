"""What a look at the installation found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        area: "installed", "machine", "self test".
        name: what was looked at. state: "note" is worth knowing and breaks nothing.
        detail: what was found. advice: what to do, "" where nothing.
    """

    area: str
    name: str
    state: State
    detail: str
    advice: str = ""
