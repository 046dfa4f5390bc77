"""All that a callable's behaviour depends on, as text that is the same in every process."""

from __future__ import annotations

import hashlib
from types import BuiltinFunctionType, CodeType, FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ..combine import COMBINATORS, Composed
from .digests import tensor_hash
from .libraries import library, library_name
from .reads import reads

LITERALS = (
    *map(type, (None, ..., NotImplemented)), bool, int, float, complex, str, bytes, slice, torch.dtype, torch.device,
)  # fmt: skip


class Dependencies:
    """Reads objects and, as far as they are the user's, all that they refer to; each once, so that cycles end.

    Args:
        contents: whether lists, dicts, sets and tensors count by what they hold; else they cannot be identified.

    Attributes:
        complete: whether everything could be identified. Not so: state, such as objects with attributes.
    """

    def __init__(self, *values: Any, contents: bool = True) -> None:
        self.complete = True
        self._contents = contents
        self._found: list[Any] = []
        self._places: dict[int, int] = {}
        self._lines = [self._all(values)]
        for value in self._found:  # grows as it is read
            self._lines.append(self._text(value))

    def hash(self) -> str:
        return hashlib.sha256("\n".join(self._lines).encode()).hexdigest()

    def _all(self, values: Any) -> str:
        return ", ".join(map(self._refer, values))

    def _refer(self, value: Any) -> str:
        """A constant itself; of anything else its number, to be read in its turn."""
        text = constant(value)
        if text is not None:
            return text
        if id(value) not in self._places:
            self._places[id(value)] = len(self._found)
            self._found.append(value)
        return f"#{self._places[id(value)]}"

    def _text(self, value: Any) -> str:
        if isinstance(value, FunctionType):
            return self._function(value)
        if (name := library_name(value)) is not None:
            return name
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, Composed):
            return f"{value.name} {self._all([COMBINATORS[value.name].run, *value.parts, value.options])}"
        if type(value) is tuple:
            return f"tuple {self._all(value)}"
        held = self._content(value) if self._contents else None
        return held or self._other(value)

    def _content(self, value: Any) -> str | None:
        if type(value) in (Tensor, nn.Parameter) and value.layout == torch.strided and not value.is_meta:
            return tensor_hash(value)
        if type(value) is list:
            return f"list {self._all(value)}"
        if type(value) is dict:
            return f"dict {self._all(value.items())}"
        if type(value) is set and (text := constant(frozenset(value))) is not None:
            return f"set {text}"
        return None

    def _function(self, function: FunctionType) -> str:
        name = f"{function.__module__}.{function.__qualname__} {self._refer(function.__code__)}"
        if (held := library_name(function)) is not None:
            return f"{held} {name}"
        defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).items()]
        return f"{name} ({self._all(defaults)}) {self._all(reads(function))}"

    def _class(self, held: type) -> str:
        members = [f"{name}: {self._refer(value)}" for name, value in vars(held).items() if _matters(name, value)]
        return f"{held.__module__}.{held.__qualname__} {self._all([type(held), *held.__bases__])} {members}"

    def _other(self, value: Any) -> str:
        if isinstance(value, (staticmethod, classmethod)):
            return f"{type(value).__name__} {self._refer(value.__func__)}"
        if isinstance(value, property):
            return f"property {self._all([value.fget, value.fset, value.fdel])}"
        if isinstance(value, ModuleType) and (package := library(value.__name__)) is not None:
            return f"{package} {value.__name__}"
        if isinstance(value, BuiltinFunctionType) and isinstance(value.__self__, (type(None), type, ModuleType)):
            return f"{value.__module__}.{value.__qualname__}"
        self.complete = False
        return f"a {type(value).__qualname__}"


def constant(value: Any) -> str | None:
    """A value that cannot change, as text; None for any other. Never by identity: equal constants may be one object."""
    if type(value) in LITERALS:
        return repr(value)
    if isinstance(value, CodeType):
        return _code(value)
    if type(value) in (tuple, frozenset):
        parts = [part for part in map(constant, value) if part is not None]
        ordered = sorted(parts) if isinstance(value, frozenset) else parts
        return f"{type(value).__name__}({', '.join(ordered)})" if len(parts) == len(value) else None
    return None


def _code(code: CodeType) -> str | None:
    """What is compiled, not its source: a file may have changed since it was imported."""
    constants = constant(code.co_consts)
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return constants and f"{code.co_code.hex()} {code.co_exceptiontable.hex()} {names} {counts} {constants}"


def _matters(name: str, value: Any) -> bool:
    """Of a class: not what Python writes into it, nor places of slots."""
    if isinstance(value, (GetSetDescriptorType, MemberDescriptorType)) or name == "_abc_impl":
        return False
    special = name.startswith("__") and name.endswith("__")
    return not special or isinstance(value, (FunctionType, staticmethod, classmethod, property))
