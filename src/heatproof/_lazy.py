"""Public names that are imported at their first use, so that importing the package takes hardly longer than torch."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class Lazy(ModuleType):
    """A package some of whose names are those of modules that are not imported yet.

    Attributes:
        _homes: module of each such name, relative to the package.
    """

    _homes: Mapping[str, str]

    def __getattr__(self, name: str) -> Any:
        if name not in self._homes:
            return self._submodule(name)
        found = getattr(import_module(f"{self.__name__}.{self._homes[name]}"), name)
        setattr(self, name, found)
        return found

    def _submodule(self, name: str) -> ModuleType:
        """A part of the package that nobody imported yet, as ``heatproof.score``."""
        whole = f"{self.__name__}.{name}"
        if name.startswith("__") or find_spec(whole) is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return import_module(whole)

    def __setattr__(self, name: str, value: Any) -> None:
        """As ever, but a name never becomes its module, as which Python binds every submodule that it imports."""
        if not (isinstance(value, ModuleType) and name in self._homes):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._homes})


def make_lazy(package: str, names: Mapping[str, str]) -> None:
    """Let a package import the names of a table when they are used.

    Args:
        package: its name; it is being imported.
        names: of each module, relative to the package, its names, by spaces.
    """
    module = sys.modules[package]
    vars(module)["_homes"] = {name: place for place, held in names.items() for name in held.split()}
    module.__class__ = Lazy
