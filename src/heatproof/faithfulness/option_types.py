"""Options of a bench from Python, where nothing has read them from text: each of the type that its field says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any, get_args, get_origin, get_type_hints

from ..errors import InputError
from .kind import Kind

WORDS: dict[Any, tuple[str, str]] = {
    int: ("a whole number", "whole numbers"), float: ("a number", "numbers"), str: ("a text", "texts"),
}  # fmt: skip


def options_of(kind: Kind, given: Mapping[str, Any]) -> Any:
    """The kind's options with some of them given.

    Raises:
        InputError: an unknown name, a value of another type, or one that the options refuse.
    """
    known = {f.name: f.default for f in fields(kind.options)}
    types = get_type_hints(kind.options)
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=2) or known
            raise InputError(f"bench {kind.name} has no option {name!r}; it has {', '.join(near)}")
    found = {name: _typed(value, types[name]) for name, value in given.items()}
    for name, value in found.items():
        if value is None:
            such = f", such as {known[name]!r}" if known[name] not in ((), "") else ""
            raise InputError(f"bench {kind.name}: {name}={given[name]!r}; expected {_words(types[name])}{such}")
    return kind.options(**found)


def check_chunk(chunk: Any) -> None:
    """Raise `InputError` for what is no number of images."""
    if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1:
        raise InputError(f"chunk={chunk!r}; expected a whole number of images from 1 on, such as 8")


def _typed(value: Any, kind: Any) -> Any:
    """The value as its field has it, so that equal options have equal text in a run; None for another type."""
    if get_origin(kind) is tuple:
        parts = [_typed(v, get_args(kind)[0]) for v in value] if isinstance(value, (tuple, list)) else [None]
        return None if None in parts else tuple(parts)
    if kind is str:
        return value if isinstance(value, str) else None
    fits = not isinstance(value, bool) and isinstance(value, Integral if kind is int else Real)
    return kind(value) if fits else None


def _words(kind: Any) -> str:
    return f"a tuple of {WORDS[get_args(kind)[0]][1]}" if get_origin(kind) is tuple else WORDS[kind][0]
