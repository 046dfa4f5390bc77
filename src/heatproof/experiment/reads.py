"""What a function reads from outside itself: globals, variables it closes over, attributes of modules."""

from __future__ import annotations

import builtins
import dis
import inspect
from collections.abc import Iterator, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .libraries import library

UNKNOWN = object()
"""In place of something that is read but cannot be told."""

GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
CLOSED = ("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF")
SET = ("STORE_GLOBAL", "DELETE_GLOBAL")
ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD")


def reads(function: FunctionType) -> Iterator[Any]:
    """The objects, in the order of the code and the code inside it; only `UNKNOWN` where the function sets one of them.

    Of functions of libraries only what they close over: a decorator may have put the user's function there.
    """
    closed, users = _closed(function), library(function.__globals__.get("__name__")) is None
    codes = [_steps(code) for code in _codes(function.__code__)]
    if any(s.opname in SET or (s.opname == "STORE_DEREF" and s.argval in closed) for steps in codes for s in steps):
        yield UNKNOWN
        return
    for steps in codes:
        own = {s.argval for s in steps if s.opname == "STORE_NAME"}  # of a class inside the function
        for i, step in enumerate(steps):
            name, rest = step.argval, steps[i + 1 :]
            if step.opname in CLOSED and name in closed:
                yield _followed(closed[name], rest)
            elif users and step.opname in GLOBAL and name not in own:
                yield _followed(function.__globals__.get(name, getattr(builtins, name, UNKNOWN)), rest)
            elif users and step.opname == "IMPORT_NAME" and _users(steps, i):
                yield UNKNOWN


def _steps(code: CodeType) -> list[dis.Instruction]:
    return [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]


def _followed(value: Any, steps: Sequence[dis.Instruction]) -> Any:
    """What the attributes read next from a module of the user's lead to; `UNKNOWN` for its data, which others may set."""
    held = value
    for step in steps:
        if not isinstance(held, ModuleType) or library(held.__name__) is not None or step.opname not in ATTRIBUTE:
            break
        held = getattr(held, step.argval, UNKNOWN)
    return held if held is value or callable(held) or isinstance(held, ModuleType) else UNKNOWN


def _users(steps: Sequence[dis.Instruction], i: int) -> bool:
    """Whether an import inside the function is of a module of the user's: relative, or no library."""
    return steps[i - 2].argval != 0 or library(steps[i].argval) is None


def _closed(function: FunctionType) -> dict[str, Any]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {name: _content(cell) for name, cell in cells}


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty as yet
        return UNKNOWN


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if inspect.iscode(constant):
            yield from _codes(constant)
