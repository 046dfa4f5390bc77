"""Methods by text: ``gradcam``, ``rectgrad(q=90)``, ``smooth(guided_backprop, n=10)``, ``package.module:function``."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from . import methods as _found  # noqa: F401  importing it fills METHODS
from .combine import COMBINATORS, compose, configure
from .data.lookup import find_object
from .errors import InputError
from .types import METHODS, Explain, name_of


def method_from_text(text: str) -> Explain:
    """The method that a text names; its options must be Python literals.

    Raises:
        InputError: no such method or option; offers the nearest names.

    Example:
        >>> method_from_text("integrated_gradients(steps=10)")
        integrated_gradients(steps=10)
        >>> method_from_text("smooth(guided_backprop, n=5)")
        smooth(guided_backprop, n=5)
    """
    head, _, rest = text.strip().partition("(")
    if ":" in head:
        return configure(_imported(head), **_options(f"x({rest}" if rest else "x()", text))
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise InputError(f"method {text!r} cannot be read ({error.msg}); write name or name(option=value)") from None
    return _built(tree, text)


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


def _built(tree: ast.expr, text: str) -> Explain:
    if isinstance(tree, ast.Name):
        return _named(tree.id)
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        options = {str(k.arg): _literal(k.value, text) for k in tree.keywords}
        if tree.func.id in COMBINATORS and tree.func.id != "configured":
            return compose(tree.func.id, *[_built(part, text) for part in tree.args], **options)
        if not tree.args:
            return configure(_named(tree.func.id), **options)
    raise InputError(
        f"method {text!r} cannot be read; write name, name(option=value) or combinator(name, option=value)"
    )


def _options(call: str, text: str) -> dict[str, Any]:
    try:
        tree = ast.parse(call, mode="eval").body
    except SyntaxError as error:
        raise InputError(f"method {text!r} cannot be read ({error.msg})") from None
    if not isinstance(tree, ast.Call) or tree.args:
        raise InputError(f"method {text!r}: options have names, write name(option=value)")
    return {str(k.arg): _literal(k.value, text) for k in tree.keywords}


def _literal(node: ast.expr, text: str) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise InputError(f"method {text!r}: {ast.unparse(node)!r} is not a plain value; quote texts") from None


def _named(name: str) -> Explain:
    if name in METHODS:
        return METHODS[name]
    if name in COMBINATORS and name != "configured":
        raise InputError(f"there is no method {name!r} by itself, it is made of a method; write {name}(gradient)")
    near = get_close_matches(name, METHODS, n=3)
    known = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(sorted(METHODS))}"
    raise InputError(f"there is no method {name!r}; {known} Your own: package.module:function")


def _imported(reference: str) -> Explain:
    try:
        found = find_object(reference, "method")
    except InputError:
        raise
    except Exception as error:  # importing runs the user's code, which may raise anything
        raise InputError(f"method {reference!r} cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise InputError(f"method {reference!r} is a {type(found).__name__}; expected a callable")
    explain: Explain = found
    return explain
