"""What a command leaves: paths for --quiet, one JSON document for --json, an exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from .._version import __version__
from ..visible import visible
from .exit_codes import DONE, reason

FORMAT = 1
"""Of the documents. It goes up when a key goes or changes its meaning, not when one is added."""


@dataclass(frozen=True)
class Result:
    """What a command leaves.

    Attributes:
        essential: lines that stdout holds under --quiet: paths, names.
        facts: keys of the JSON document, besides those that every document has; see `document`.
        code: the exit code.
    """

    essential: Sequence[object] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    code: int = DONE


def document(command: str, code: int, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The document of --json: format, heatproof (the version), command, exit (code, reason), and what the command says."""
    head = {"format": FORMAT, "heatproof": __version__, "command": command}
    return {**head, "exit": {"code": code, "reason": reason(code)}, **facts}


def failure(error_type: str, message: str) -> dict[str, Any]:
    """What a document says of an error."""
    return {"error": {"type": error_type, "message": message}}


def print_document(command: str, code: int, facts: Mapping[str, Any]) -> None:
    """One document on stdout: ASCII, without NaN."""
    text = json.dumps(plain(document(command, code, facts)), indent=1, allow_nan=False)
    sys.stdout.write(f"{text}\n")


def print_essential(result: Result) -> None:
    """The lines that --quiet leaves, as they are: no colour, no line broken."""
    for line in result.essential:
        sys.stdout.write(f"{visible(str(line))}\n")


def plain(value: Any) -> Any:
    """A value as JSON has it: what is not finite becomes null, what JSON does not know its text.

    Example:
        >>> from pathlib import PurePosixPath
        >>> plain({"a": (1, float("nan")), "b": PurePosixPath("x/y"), 3: None})
        {'a': [1, None], 'b': 'x/y', '3': None}
    """
    value = value.item() if hasattr(value, "item") else value  # a number of numpy
    if isinstance(value, Mapping):
        return {str(key): plain(held) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(held) for held in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value if value is None or isinstance(value, (str, int)) else str(value)
