"""A method made of methods: `Composed`, the table of combinators, and methods with some of their options set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from inspect import signature
from typing import Any

from torch import Tensor, nn

from ..errors import InputError
from ..types import Explain, Spec, enter, name_of, spec_of


@dataclass(frozen=True)
class Composed:
    """A method made of others: picklable, equal by value, its text is the row in every table.

    Attributes:
        name: the combinator, a key of `COMBINATORS`.
        parts: the methods it is made of.
        options: its settings, as sorted pairs.
        title: the name it goes by where it has one of its own (smoothgrad).

    Example:
        >>> from heatproof import gradient, smooth
        >>> smooth(gradient, n=10)
        smooth(gradient, n=10)
        >>> smooth(gradient, n=10) == smooth(gradient, n=10)
        True
    """

    name: str
    parts: tuple[Explain, ...]
    options: tuple[tuple[str, Any], ...] = ()
    title: str = field(default="", compare=False)

    def __call__(self, model: nn.Module, inputs: Tensor, target: Any = None, **call: Any) -> Tensor:
        return COMBINATORS[self.name].run(*self.parts, model, inputs, target, **{**dict(self.options), **call})

    def __repr__(self) -> str:
        inner = [*map(name_of, self.parts)] if not self.title and self.name != "configured" else []
        options = [f"{key}={value!r}" for key, value in self.options]
        head = self.title or (name_of(self.parts[0]) if self.name == "configured" else self.name)
        arguments = inner + options
        return f"{head}({', '.join(arguments)})" if arguments else head

    @property
    def __name__(self) -> str:
        return repr(self)

    @property
    def __heatproof_spec__(self) -> Spec | None:
        return COMBINATORS[self.name].spec(*[spec_of(part) for part in self.parts])

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return COMBINATORS[self.name].run.__doc__


@dataclass(frozen=True)
class Combinator:
    """How a combination is computed, what is known about it from what is known about its parts, and a check of those of
    its options that need no model."""

    run: Callable[..., Tensor]
    spec: Callable[..., Spec | None]
    check: Callable[..., None] = lambda **options: None


def compose(name: str, *parts: Explain, **options: Any) -> Composed:
    """A combination by its name, with its options checked."""
    wanted = [p for p in list(signature(COMBINATORS[name].run).parameters)[: len(parts) or 1] if p == "explain"]
    if len(parts) != len(wanted):
        raise InputError(f"{name} takes {len(wanted) or 1} method, got {len(parts)}: {name}(gradient)")
    return _combined(Composed(name, parts), options)


def combine(name: str, *parts: Explain, **options: Any) -> Composed:
    """A combination without the options that stand at their default, so that equal methods have equal text."""
    known = signature(COMBINATORS[name].run).parameters
    return compose(name, *parts, **{k: v for k, v in options.items() if k not in known or v != known[k].default})


def configure(explain: Explain, **options: Any) -> Explain:
    """A method with some of its options set: ``configure(gradcam, layer="layer4")``, named ``gradcam(layer='layer4')``."""
    if not options:
        return explain
    if not isinstance(explain, Composed):
        _check_options(name_of(explain), explain, options, skip=0)
        return Composed("configured", (explain,), _pairs(options))
    if explain.name == "configured":
        return configure(explain.parts[0], **{**dict(explain.options), **options})
    return _combined(explain, options)


def entry(name: str, composed: Composed) -> Composed:
    """A composition under a name of its own, entered in `METHODS` (smoothgrad)."""
    named = replace(composed, title=name)
    enter(name, named)
    return named


def _combined(explain: Composed, options: dict[str, Any]) -> Composed:
    combinator, merged = COMBINATORS[explain.name], {**dict(explain.options), **options}
    try:
        _check_options(explain.title or explain.name, combinator.run, options, skip=len(explain.parts))
    except InputError as error:
        raise InputError(f"{error}{_advice(explain, options)}") from None
    combinator.check(**merged)
    return replace(explain, options=_pairs(merged))


def _advice(explain: Composed, options: dict[str, Any]) -> str:
    """How to write what was asked for, where the options are those of the method inside."""
    try:
        inner = configure(explain.parts[0], **options)
    except InputError:
        return ""
    return f"; the method inside takes it: {replace(explain, parts=(inner, *explain.parts[1:]), title='')!r}"


def _pairs(options: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Options in one order, lists as tuples, so that a composition can be hashed."""
    return tuple((key, _frozen(options[key])) for key in sorted(options))


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value


def _check_options(name: str, function: Callable[..., Any], options: dict[str, Any], skip: int) -> None:
    known = list(signature(function).parameters.values())[skip + 3 :]
    names = [p.name for p in known if p.name not in ("score", "index")]
    if any(p.kind is p.VAR_KEYWORD for p in known):
        return
    if unknown := [key for key in options if key not in names]:
        raise InputError(f"{name} has no option {unknown[0]!r}; it has {', '.join(names) or 'none'}")


def _configured(explain: Explain, model: nn.Module, inputs: Tensor, target: Any = None, /, **options: Any) -> Tensor:
    """A method with some of its options set."""
    return explain(model, inputs, target, **options)


COMBINATORS: dict[str, Combinator] = {
    "configured": Combinator(_configured, lambda part: replace(part, needs=frozenset()) if part else None),
}
"""Every combinator by name; each file of this package enters its own."""
