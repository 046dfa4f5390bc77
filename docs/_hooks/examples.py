"""Docstrings as Griffe reads them: its section for doctests is called Examples, ours Example."""

from __future__ import annotations

import re
from typing import Any

import griffe

OURS = re.compile(r"^Example:$", re.MULTILINE)


class Examples(griffe.Extension):
    """Renames the section before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Griffe calls it for everything that it has read."""
        if obj.docstring:
            obj.docstring.value = OURS.sub("Examples:", obj.docstring.value)
