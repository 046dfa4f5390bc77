"""Names of classes: from a json, a text file with one name a line, or a list."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError


def read_class_names(source: str | Path | Sequence[str]) -> tuple[str, ...]:
    """Class names in the order of the model's outputs.

    Args:
        source: names; or a text file with one a line; or a json file: a list of names, ``{"0": "tench", ...}``,
            ``{"0": ["n01440764", "tench"], ...}`` (the last text is the name), or ``{"tench": 0, ...}``.

    Raises:
        InputError: no such file, other content, or numbers that do not run from 0.

    Example:
        >>> read_class_names(["cat", "dog"])
        ('cat', 'dog')
    """
    if not isinstance(source, (str, Path)):
        return tuple(str(name) for name in source)
    path = Path(source)
    table = path.suffix.lower() == ".json"
    try:
        text = path.read_text(encoding="utf-8-sig")
        held = json.loads(text) if table else text.strip().splitlines()
    except (OSError, ValueError, RecursionError) as error:  # ValueError: of the encoding, of json, of endless numbers
        raise InputError(f"class names cannot be read from {path}: {error}; expected text in UTF-8, or json") from error
    names = _from_json(held, path) if table else tuple(line.strip() for line in held)
    if not names:
        raise InputError(f"{path} holds no class name; expected one a line, or a json list or table of them")
    return names


def class_name(names: Sequence[str] | None, index: int) -> str:
    """The name of a class, or "class 7" where it has none.

    Example:
        >>> class_name(("cat", "dog"), 1), class_name(None, 7)
        ('dog', 'class 7')
    """
    if names is None or not 0 <= index < len(names):
        return f"class {index}"
    return names[index]


def _from_json(held: Any, path: Path) -> tuple[str, ...]:
    if isinstance(held, list):
        return tuple(_name(entry, path) for entry in held)
    if not isinstance(held, Mapping) or not held:
        raise InputError(f"{path} holds a {type(held).__name__}; expected a list of names or a number -> name table")
    if all(isinstance(value, int) for value in held.values()):
        numbers = [str(number) for number in held.values()]
        if twice := sorted({number for number in numbers if numbers.count(number) > 1}):
            raise InputError(f"{path} gives the number {twice[0]} to several classes; expected a number for each")
        held = dict(zip(numbers, held, strict=True))
    if missing := [i for i in range(len(held)) if str(i) not in held]:
        raise InputError(
            f"{path} has {len(held)} entries but none for class {missing[0]}; expected 0 to {len(held) - 1}"
        )
    return tuple(_name(held[str(i)], path) for i in range(len(held)))


def _name(entry: Any, path: Path) -> str:
    if isinstance(entry, list) and entry:
        entry = entry[-1]
    if not isinstance(entry, str):
        raise InputError(f"{path} holds {entry!r} where a class name was expected")
    return entry
