"""Texts in the description of a ``torch.export`` program: torch pastes most of them into source that it executes.

Names become variables and parameters of a generated ``forward``, guards its assertions; trees name modules to import.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from .sizes import SIZES, is_size

FREE = frozenset("stack_trace nn_module_stack source_fn_stack torch_fn custom from_node".split())
"""Keys of remarks on an operation, which torch only prints or looks up."""

PLAIN = re.compile(r"[\w .,+\-/<>]*")
"""Text that cannot leave the place it is pasted into: no quotes, brackets, assignments or line breaks."""

OPERATION = re.compile(
    r"torch\.ops\.(?!load_library|import_module)[a-z]\w*\.\w+\.(?!_)\w+|torch\.ops\.higher_order\.(?!_)\w+"
    r"|torch\._functorch\.predispatch\._[a-z]\w+|torch\._?sym_\w+|math\.(?!_)\w+"
    r"|_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|pos|abs|eq|ne|lt|le|gt|ge|and_|or_|xor|not_|lshift|rshift|getitem)"
)
"""Functions as arguments of an operation: torch takes any it finds from ``torch``, such as ``torch.os.system``."""

_PARTS = (
    ast.Expression, ast.Call, ast.Name, ast.Load, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare,
    ast.Subscript, ast.Attribute, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip
_FUNCTIONS = SIZES | frozenset("min max abs int float bool round TrueDiv IsNonOverlappingAndDense".split())
_METHODS = frozenset("size stride storage_offset dim numel".split())
_ATTRIBUTES = _METHODS | frozenset("shape dtype ndim".split())


def harmful(held: Any, key: str = "", in_nodes: bool = False) -> Iterator[str]:
    """What in the description of a program would run: the kind of the text, and its beginning."""
    if key == "expr_str" and not is_size(held):
        yield f"a size that is no arithmetic ({str(held)[:80]!r})"
    elif isinstance(held, dict):
        for name, value in held.items():
            if not PLAIN.fullmatch(name):
                yield f"a name that is none ({name[:80]!r})"
            yield from harmful(value, name, in_nodes or name == "nodes")
    elif isinstance(held, list):
        for value in held:
            yield from harmful(value, key, in_nodes)
    elif isinstance(held, str) and (kind := _wrong(held, key, in_nodes)):
        yield f"{kind} ({held[:80]!r})"


def _wrong(text: str, key: str, in_nodes: bool) -> str | None:
    match key:
        case "guards_code":
            return None if is_guard(text) else "a guard that compares no sizes"
        case "in_spec" | "out_spec":
            return None if is_tree(text) else "a tree of more than plain containers"
        case "as_operator":  # torch itself looks at what it calls, not at what that is given
            return None if OPERATION.fullmatch(text) else "an operation that is none of torch's"
        case "name" | "as_name" | "forward_arg_names":
            return None if re.fullmatch(r"\w*", text) else "a name that is none"
    if key in FREE or key == "expr_str" or (key == "as_string" and in_nodes):  # an argument is quoted
        return None
    return None if PLAIN.fullmatch(text) else "a name that is none"


def is_guard(text: str) -> bool:
    """Whether a text, in one line, compares sizes of the inputs and nothing else.

    Example:
        >>> is_guard("L['x'].size()[2] % 2 == 0"), is_guard("L['x'].__class__ == 1"), is_guard("exit()")
        (True, False, False)
    """
    if not re.fullmatch(r"[\w .,+\-*/%<>=!&|~()\[\]']*", text):
        return False
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(isinstance(node, _PARTS) and _harmless(node) for node in ast.walk(tree))


def _harmless(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id=name), keywords=[]):
            return name in _FUNCTIONS
        case ast.Call(func=ast.Attribute(value=ast.Name(id="math")), keywords=[]):
            return True
        case ast.Call(func=ast.Attribute(attr=name), keywords=[]):
            return name in _METHODS
        case ast.Call():
            return False
        case ast.Attribute(value=ast.Name(id="math" | "torch"), attr=name):
            return re.fullmatch(r"[a-z]\w*", name) is not None
        case ast.Attribute(attr=name):
            return name in _ATTRIBUTES
        case ast.Name(id=name):
            return name in _FUNCTIONS or name in ("L", "f_locals", "math", "torch", "inf")
        case ast.Subscript(slice=index):
            return isinstance(index, ast.Constant | ast.UnaryOp)
        case ast.Constant(value=str(text)):
            return PLAIN.fullmatch(text) is not None
        case ast.Constant(value=value):
            return value is None or isinstance(value, int | float)
    return True


def is_tree(text: str) -> bool:
    """Whether a text describes containers by name and plain keys: others have torch import what they name."""
    try:
        _, tree = json.loads(text)
        return _is_tree(tree)
    except (ValueError, TypeError, LookupError, RecursionError):
        return False


def _is_tree(tree: dict[str, Any]) -> bool:
    context = tree["context"]
    if context is not None:
        with suppress(ValueError):  # the name of a named tuple
            context = json.loads(context)
    return _plain(context) and _plain(tree["type"]) and all(map(_is_tree, tree["children_spec"]))


def _plain(held: Any) -> bool:
    if isinstance(held, list):
        return all(map(_plain, held))
    return held is None or isinstance(held, int | float) or (isinstance(held, str) and bool(PLAIN.fullmatch(held)))
