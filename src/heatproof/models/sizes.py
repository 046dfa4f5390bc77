"""Sizes of tensors as texts: arithmetic of named numbers, which sympy has Python evaluate."""

from __future__ import annotations

import ast
import re
from typing import Any

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
        case ast.keyword(arg=None):
            return False
        case ast.Name(id=name):
            return not name.startswith("_")
    return True
