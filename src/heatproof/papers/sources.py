"""The code that a measurement follows from; what is written in comments and docstrings does not count."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

PAPERS = __package__ or ""
APART = (f"{PAPERS}.types", f"{PAPERS}.networks")
"""What measurements are made of, which does nothing; and recipes of networks, which keys hold by themselves."""
SHOWS = ("cli", "papers", "plots", "report")
"""Packages that show what was measured; of papers and plots, `source_of` takes the modules that a measurement uses."""
FOLLOWED = tuple(f"{PAPERS.rpartition('.')[0]}.{part}." for part in ("papers", "plots"))


@cache
def computing() -> str:
    """A digest of all code of heatproof that computes: methods, engine, checks, ..., for it all decides numbers."""
    root = Path(__file__).parents[1]
    files = sorted(path.relative_to(root) for path in root.rglob("*.py"))
    found = "\n".join(
        f"{path.as_posix()}\n{_without_words((root / path).read_text(encoding='utf-8'))}"
        for path in files
        if path.parts[0] not in SHOWS
    )
    return hashlib.sha256(found.encode()).hexdigest()


def source_of(module: str) -> str:
    """Code of a module and of those of papers and plots that it imports, in the order of their names."""
    found: dict[str, str] = {}
    _collect(module, found)
    return "\n".join(_without_words(found[name]) for name in sorted(found))


def _collect(module: str, found: dict[str, str]) -> None:
    if module in found or module in APART:
        return
    found[module] = inspect.getsource(sys.modules.get(module) or import_module(module))
    for name in _imported(module, found[module]):
        _collect(name, found)


def _imported(module: str, source: str) -> Iterator[str]:
    """Modules of papers and plots that a module imports from, by relative imports."""
    above = module.split(".")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join([*above[: -node.level], *([node.module] if node.module else [])])
            names = [base] if node.module else [f"{base}.{alias.name}" for alias in node.names]
            yield from (name for name in names if name.startswith(FOLLOWED))


@cache
def _without_words(source: str) -> str:
    """Code without comments, layout and strings that stand alone."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not _is_words(part)]
    return ast.dump(tree)


def _is_words(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
