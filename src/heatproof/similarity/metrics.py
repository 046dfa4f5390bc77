"""Metrics by text: ``ssim``, ``ssim(preset='code')``, ``hog(correlation=spearman, cells=4)``."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from inspect import Parameter, signature
from typing import Any

from torch import Tensor

from ..errors import InputError
from .comparison import Comparison
from .hog import hog_comparison
from .maps import check_pair
from .spearman import ABSOLUTE, SIGNED, SUPPORT
from .ssim import ssim_comparison


def _fixed(comparison: Comparison[Any]) -> Callable[[], Comparison[Any]]:
    """A metric without options."""
    return lambda: comparison


KINDS: dict[str, Callable[..., Comparison[Any]]] = {
    "spearman": _fixed(SIGNED),
    "spearman_abs": _fixed(ABSOLUTE),
    "spearman_support": _fixed(SUPPORT),
    "ssim": ssim_comparison,
    "hog": hog_comparison,
}
"""Every metric by name, made from its options: their names and defaults are the parameters."""


@dataclass(frozen=True, repr=False)
class Metric:
    """A similarity of two stacks of maps: picklable, equal by value, its text is the row in every table.

    Attributes:
        name: a key of `KINDS`.
        options: those that are not at their default, in the order of the signature.

    Example:
        >>> metric_from_text("hog(cells=4, normalise='minmax')")
        hog(cells=4)
    """

    name: str
    options: tuple[tuple[str, Any], ...] = ()

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        return self.comparison.of_maps(*check_pair(a, b, repr(self)))

    @property
    def comparison(self) -> Comparison[Any]:
        """The metric in two halves; one object for equal metrics, so that what its features read can be found again."""
        return _comparison(self)

    def __repr__(self) -> str:
        options = ", ".join(f"{key}={value!r}" for key, value in self.options)
        return f"{self.name}({options})" if options else self.name


def metric_from_text(text: str) -> Metric:
    """The metric that a text names; its options are Python literals, words also without quotes.

    Raises:
        InputError: no such metric, option or value; offers the nearest names. Maps that are too small for the metric
            raise as it is called.

    Example:
        >>> metric_from_text("ssim(preset=code)")
        ssim(preset='code')
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, AttributeError, TypeError):
        raise _unreadable(text) from None
    if isinstance(tree, ast.Name):
        return _metric(tree.id, {})
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.args:
        raise _unreadable(text)
    names = [k.arg for k in tree.keywords]
    if None in names or len(set(names)) < len(names):
        raise _unreadable(text)
    return _metric(tree.func.id, {str(k.arg): _literal(k.value, text) for k in tree.keywords})


def named_metrics(metrics: str | Metric | Sequence[str | Metric]) -> dict[str, Metric]:
    """Metrics by the name of their row, from texts or metrics, in the order given.

    Raises:
        InputError: none given, unknown, or two under one name.

    Example:
        >>> list(named_metrics(["spearman", "ssim(preset=code)"]))
        ['spearman', "ssim(preset='code')"]
    """
    given = [metrics] if isinstance(metrics, (str, Metric)) else list(metrics)
    if not given:
        raise InputError(f"metrics is empty; give at least one of {', '.join(KINDS)}")
    named: dict[str, Metric] = {}
    for one in given:
        metric = one if isinstance(one, Metric) else metric_from_text(one)
        if repr(metric) in named:
            raise InputError(f"two metrics are called {str(metric)!r}; give each once")
        named[repr(metric)] = metric
    return named


@cache
def _comparison(metric: Metric) -> Comparison[Any]:
    return KINDS[metric.name](**dict(metric.options))


def _metric(name: str, options: dict[str, Any]) -> Metric:
    if name not in KINDS:
        raise InputError(f"there is no metric {name!r}; {_near(name, list(KINDS), 'expected one of')}")
    known = signature(KINDS[name]).parameters
    if unknown := [key for key in options if key not in known]:
        hint = _near(unknown[0], list(known), "it has") if known else f"it has none; metrics are {', '.join(KINDS)}"
        raise InputError(f"metric {name!r} has no option {unknown[0]!r}; {hint}")
    KINDS[name](**options)
    return Metric(name, tuple((key, options[key]) for key in known if _is_set(options, known[key])))


def _is_set(options: dict[str, Any], known: Parameter) -> bool:
    """Whether an option is given and not at its default, so that equal metrics have equal text."""
    return known.name in options and options[known.name] != known.default


def _near(name: str, known: list[str], what: str) -> str:
    near = get_close_matches(name, known, n=3)
    return f"did you mean {', '.join(near)}?" if near else f"{what} {', '.join(known)}"


def _literal(node: ast.expr, text: str) -> Any:
    if isinstance(node, ast.Name):  # preset=code: a shell has taken the quotes
        return node.id
    try:
        value = ast.literal_eval(node)
        hash(value)
        return value
    except (ValueError, TypeError, SyntaxError):
        raise InputError(
            f"metric {text!r}: {ast.unparse(node)!r} is not a plain value; give numbers, texts, True, False or None"
        ) from None


def _unreadable(text: object) -> InputError:
    return InputError(
        f"metric {text!r} cannot be read; write name or name(option=value), each option once, such as ssim(preset='code')"
    )
