"""The table of benches."""

from __future__ import annotations

from .kind import Kind

KINDS: dict[str, Kind] = {}
