"""What is installed rather than written by the user: its code counts by its version."""

from __future__ import annotations

import builtins
import importlib.util
import os
import sys
import sysconfig
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

RECORDED = ("heatproof", "torch", "numpy")
"""Packages whose versions are in every key already, as Python's is."""


def library(module: Any) -> str | None:
    """The package of a module's name with its version; None for the user's own, and for what has no version."""
    return _library(module.partition(".")[0]) if isinstance(module, str) and module else None


def library_name(value: Any) -> str | None:
    """The name under which a library holds this very object, with the version; None where no library does."""
    package = library(getattr(value, "__module__", None))
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if package is None or not isinstance(name, str):
        return None
    found: Any = sys.modules.get(value.__module__)
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{package} {value.__module__}.{name}" if found is value else None


@cache
def _library(top: str) -> str | None:
    if top in RECORDED or top == builtins.__name__:
        return top
    path = _file(top)
    if top in sys.stdlib_module_names:  # a file of the user's may have the name of one of Python's
        here = os.path.realpath(sysconfig.get_paths()["stdlib"])
        return top if path is None or os.path.realpath(path).startswith(here + os.sep) else None
    installed = path is not None and {"site-packages", "dist-packages"} & set(Path(path).parts)
    return _version(top) if installed else None


def _file(top: str) -> str | None:
    held = sys.modules.get(top)
    if held is not None:
        return getattr(held, "__file__", None)
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    return spec.origin if spec is not None and spec.has_location else None


def _version(top: str) -> str | None:
    try:
        return f"{top} {metadata.version(top)}"
    except metadata.PackageNotFoundError:  # not called as its distribution is
        names = metadata.packages_distributions().get(top, [])
    return f"{top} {metadata.version(names[0])}" if names else None
