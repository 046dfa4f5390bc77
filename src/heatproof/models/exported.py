"""Files of ``torch.export``, looked through before torch opens them: opening one must run nothing that is in it.

``torch.export.load`` opens pickles with their code where it cannot do without, loads compiled libraries, and gives the
sizes that depend on a batch to sympy as texts, which Python evaluates.
"""

from __future__ import annotations

import ast
import json
import os
import pickle
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.pt2_archive import PT2ArchiveReader

from ..data.files import DAMAGED
from ..errors import WeightsError

CODE = {"data/aotinductor/": "a compiled library", "data/constants/opaque_obj_": "a pickled object"}
"""What the name of a member begins with, and what it is, where torch would run it."""

FORCED, REFUSED = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
"""Environment variables of torch: every pickle is opened without its code, whatever a caller asks for; the opposite."""

SIZES = frozenset(
    "Symbol Integer Float Rational Add Mul Pow Mod Max Min Abs floor ceiling Piecewise ExprCondPair And Or Not Equality "
    "Unequality StrictLessThan LessThan StrictGreaterThan GreaterThan Eq Ne Lt Le Gt Ge FloorDiv ModularIndexing Where "
    "PythonMod CleanDiv CeilToInt FloorToInt CeilDiv LShift RShift PowByNatural FloatPow FloatTrueDiv IntTrueDiv "
    "IsNonOverlappingAndDenseIndicator TruncToFloat TruncToInt RoundToInt RoundDecimal ToFloat Identity".split()
)
"""Functions that the size of a tensor is made of."""

_PARTS = (
    ast.Expression, ast.Call, ast.keyword, ast.Name, ast.Load, ast.Constant, ast.BinOp, ast.UnaryOp, ast.Compare,
    ast.operator, ast.unaryop, ast.cmpop,
)  # fmt: skip


def open_exported(path: Path) -> ExportedProgram:
    """The program of a ``.pt2`` file.

    Raises:
        WeightsError: something in it would run as it is opened; names it. Nothing was run.
        RuntimeError and others: damaged.
    """
    _check_members(path)
    try:
        with _without_code():
            return torch.export.load(path)
    except pickle.UnpicklingError as error:
        named = re.search(r"(?:GLOBAL|global|class) \S+", str(error))
        raise _refusal(path, f"a pickle of more than tensors ({named[0] if named else 'unknown content'})") from None


def _check_members(path: Path) -> None:
    archive = _archive(path)
    for name in archive.get_file_names():
        for start, what in CODE.items():
            if name.lower().startswith(start):
                raise _refusal(path, f"{what} ({name})")
        if name.startswith("models/"):
            for size in sizes_in(json.loads(archive.read_bytes(name))):
                if not is_size(size):
                    raise _refusal(path, f"a size that is no arithmetic ({str(size)[:80]!r})")


def _archive(path: Path) -> PT2ArchiveReader:
    """Torch's own reader, so that both see the same members."""
    try:
        with zipfile.ZipFile(path) as archive:
            if "version" in archive.namelist():  # torch reads those in another way, which looks through nothing
                raise RuntimeError("torch before 2.8 wrote it")
        return PT2ArchiveReader(str(path))
    except DAMAGED as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"{path} cannot be read as a program of torch.export: {reason}; export the model again with a recent torch"
        ) from error


def sizes_in(held: Any) -> Iterator[Any]:
    """Every text of a program's description that sympy is given."""
    if isinstance(held, dict):
        for key, value in held.items():
            if key == "expr_str":
                yield value
            else:
                yield from sizes_in(value)
    elif isinstance(held, list):
        for value in held:
            yield from sizes_in(value)


def is_size(text: Any) -> bool:
    """Whether a text is arithmetic of named sizes and nothing else.

    Example:
        >>> is_size("Mul(Integer(2), Symbol('s77', positive=True, integer=True))"), is_size("Max(1, s0 // 2)")
        (True, True)
        >>> is_size("__import__('os').system('id')"), is_size("Symbol('x').__class__"), is_size("Add('exit()', 1)")
        (False, False, False)
    """
    try:
        tree = ast.parse(str(text), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return isinstance(text, str) and all(isinstance(node, _PARTS) and _harmless(node) for node in ast.walk(tree))


def _harmless(node: ast.AST) -> bool:
    """Only known functions, and no text but the name of a symbol or the digits of a number: sympy evaluates texts."""
    match node:
        case ast.Call(func=function):
            return isinstance(function, ast.Name) and function.id in SIZES
        case ast.Constant(value=str(text)):
            return re.fullmatch(r"[A-Za-z]\w*|[+-]?[\d.]+(?:e[+-]?\d+)?", text) is not None
        case ast.Constant(value=value):
            return isinstance(value, int | float)
        case ast.Name(id=name):
            return not name.startswith("_")
    return True


@contextmanager
def _without_code() -> Iterator[None]:
    """Every `torch.load` within opens tensors only."""
    before = {name: os.environ.pop(name, None) for name in (FORCED, REFUSED)}
    os.environ[FORCED] = "1"
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _refusal(path: Path, what: str) -> WeightsError:
    return WeightsError(
        f"{path} was not opened: it holds {what}, which would run as it is opened. Export the model again with "
        "torch.export.save and a recent torch, or give the architecture and its weights"
    )
