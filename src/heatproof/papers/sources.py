"""The code that a measurement follows from, as text: its module and all modules of papers that it imports."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from importlib import import_module

PAPERS = __package__ or ""
APART = (f"{PAPERS}.types", f"{PAPERS}.networks")
"""What measurements are made of, which does nothing; and recipes of networks, which keys hold by themselves."""


def source_of(module: str) -> str:
    """Source of a module and of those of papers that it imports, in the order of their names."""
    found: dict[str, str] = {}
    _collect(module, found)
    return "\n".join(found[name] for name in sorted(found))


def _collect(module: str, found: dict[str, str]) -> None:
    if module in found or module in APART:
        return
    found[module] = inspect.getsource(sys.modules.get(module) or import_module(module))
    for name in _imported(module, found[module]):
        _collect(name, found)


def _imported(module: str, source: str) -> Iterator[str]:
    """Modules of papers that a module imports from, by relative imports."""
    above = module.split(".")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join([*above[: -node.level], *([node.module] if node.module else [])])
            names = [base] if node.module else [f"{base}.{alias.name}" for alias in node.names]
            yield from (name for name in names if name.startswith(f"{PAPERS}."))
