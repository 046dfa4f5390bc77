"""Every method in words, for lists of them."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from .combine.composed import Composed
from .types import METHODS, Explain, spec_of


class Entry(NamedTuple):
    """A method: its name, whether its maps have channels and signs, what it is, and where it is from."""

    name: str
    channels: bool
    signed: bool
    about: str
    source: str

    @property
    def map(self) -> str:
        """The shape of its maps."""
        return ("channels" if self.channels else "one channel") + (", signed" if self.signed else "")


def catalogue() -> list[Entry]:
    """The methods by name."""
    return [_entry(name, METHODS[name]) for name in sorted(METHODS)]


def line_of(explain: Explain) -> str:
    """What a method is, in one line.

    Example:
        >>> line_of(METHODS["gradient"]), line_of(METHODS["smoothgrad"])[:40]
        ('Gradient of the score at the input.', "smooth(gradient): mean of a method's map")
    """
    line = (explain.__doc__ or "").strip().partition("\n")[0].split("``")[0].strip()
    if isinstance(explain, Composed):
        return f"{replace(explain, title='')!r}: {line[:1].lower()}{line[1:]}"
    return line


def _entry(name: str, method: Explain) -> Entry:
    spec = spec_of(method)
    source = spec.source if spec else ""
    return Entry(name, bool(spec and spec.channels), bool(spec and spec.signed), line_of(method), source)
