"""Methods by text: ``gradcam``, ``smooth(guided_backprop, n=10)``, ``package.module:function``, ``captum:Saliency``."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

from .combine import COMBINATORS, captum_method, combine, configure
from .data.lookup import find_object
from .errors import InputError
from .types import METHODS, Explain, name_of

_REFERENCE = re.compile(
    r"""'[^']*' | "[^"]*" | (?P<before>^|[(,]\s*) (?P<reference>[^(),'"=\[\]{}]+:[A-Za-z_][\w.]*)""", re.VERBOSE
)
"""A quoted text, or ``module:function`` and ``path/file.py:function`` where a method may stand."""


def method_from_text(text: str, *, code: bool = True) -> Explain:
    """The method that a text names; its options must be Python literals, of which lists become tuples.

    Args:
        code: whether it may be ``package.module:function``, whose import runs that code.

    Raises:
        InputError: no such method or option; offers the nearest names.

    Example:
        >>> method_from_text("integrated_gradients(steps=10)")
        integrated_gradients(steps=10)
        >>> method_from_text("smooth(guided_backprop, n=5)")
        smooth(guided_backprop, n=5)
    """
    references: dict[str, str] = {}
    try:
        tree = ast.parse(_REFERENCE.sub(partial(_placeholder, references), text.strip()), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last three: nested too deep
        raise _unreadable(text, f" ({error.msg if isinstance(error, SyntaxError) else error})") from None
    if references and not code:
        raise InputError(
            f"method {text!r} names code of yours, which is not run from here; use it in Python or by --methods"
        )
    return _built(tree, text, references)


def named_methods(methods: Any) -> dict[str, Explain]:
    """Methods by the name of their table row, from texts, callables, or a dict of callables.

    Raises:
        InputError: none given, not callable, or two under one name.
    """
    if isinstance(methods, dict):
        pairs: list[tuple[str, Any]] = list(methods.items())
    else:
        items: Sequence[Any] = [methods] if isinstance(methods, str) or callable(methods) else list(methods)
        found = [method_from_text(m) if isinstance(m, str) else m for m in items]
        pairs = [(name_of(m), m) for m in found]
    if not pairs:
        raise InputError("methods is empty; give at least one name, such as 'gradient', or a callable")
    named: dict[str, Explain] = {}
    for name, explain in pairs:
        if not callable(explain):
            raise InputError(f"method {name!r} is a {type(explain).__name__}; expected a name or a callable")
        if name in named and named[name] != explain:
            raise InputError(f"two methods are called {name!r}; give a dict of names to callables")
        named[name] = explain
    return named


def _placeholder(references: dict[str, str], found: re.Match[str]) -> str:
    """A name of Python's in place of ``package.module:function``; quoted texts stay."""
    if found["reference"] is None:
        return found[0]
    name = f"reference_{len(references)}"
    references[name] = found["reference"].strip()
    return f"{found['before']}{name}"


def _built(tree: ast.expr, text: str, references: dict[str, str]) -> Explain:
    if isinstance(tree, ast.Name):
        return _imported(references[tree.id]) if tree.id in references else _named(tree.id)
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or None in [k.arg for k in tree.keywords]:
        raise _unreadable(text)
    name, options = tree.func.id, {str(k.arg): _literal(k.value, text) for k in tree.keywords}
    _refuse_tuples(name, options)
    if name in COMBINATORS and name != "configured":
        return combine(name, *[_built(part, text, references) for part in tree.args], **options)
    if tree.args:
        raise _unreadable(text)
    return configure(_built(tree.func, text, references), **options)


def _unreadable(text: str, why: str = "") -> InputError:
    return InputError(
        f"method {text!r} cannot be read{why}; write name, name(option=value), package.module:function or "
        "combinator(name, option=value)"
    )


def _literal(node: ast.expr, text: str) -> Any:
    try:
        value = ast.literal_eval(node)
        hash(_tuples(value))
    except (ValueError, TypeError):
        raise InputError(
            f"method {text!r}: {ast.unparse(node)!r} is not a plain value; give numbers, quoted texts, True, False, None "
            "or tuples of them"
        ) from None
    return value


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, (list, tuple)) else value


def _refuse_tuples(name: str, options: dict[str, Any]) -> None:
    if more := [key for key in options if key.startswith("return_") and options[key]]:
        raise InputError(
            f"{more[0]}={options[more[0]]!r} makes {name} return more than the map, and by text only maps are asked for; "
            f"leave it out, or call heatproof.{name}(model, inputs, target, {more[0]}=True) in Python"
        )


def _named(name: str) -> Explain:
    if name in METHODS:
        return METHODS[name]
    if name in COMBINATORS and name != "configured":
        raise InputError(f"there is no method {name!r} by itself, it is made of a method; write {name}(gradient)")
    near = get_close_matches(name, METHODS, n=3)
    known = f"did you mean {', '.join(near)}?" if near else f"expected one of {', '.join(sorted(METHODS))}"
    raise InputError(f"there is no method {name!r}; {known} Or give your own: package.module:function")


def _imported(reference: str) -> Explain:
    if reference.startswith("captum:"):
        return captum_method(reference.removeprefix("captum:"))
    found = find_object(reference, "a method")
    if not callable(found):
        raise InputError(f"method {reference!r} is a {type(found).__name__}; expected a callable")
    explain: Explain = found
    return explain
