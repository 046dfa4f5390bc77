"""Commands made from a dataclass: each field becomes an option, so that a new bench needs no line here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, fields
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import typer

from ..errors import InputError
from .texts import words

R = TypeVar("R")


def with_options(
    command: Callable[..., R], options: Mapping[str, type[Any]], name: str, text: str, without: Collection[str] = ()
) -> Callable[..., R]:
    """The command with an option for every field of some dataclasses behind its own; fields marked internal are left out.

    Args:
        command: takes options of its own, and for each key of `options` a dict of field to value.
        without: options of the command that this one does not have; they keep their defaults.
    """
    own = inspect.signature(command, eval_str=True).parameters.values()
    shared = [p for p in own if p.name not in (*options, *without)]
    made = {key: _made(kind) for key, kind in options.items()}

    def run(**given: Any) -> R:
        held = {
            key: {n: _value(n, given.pop(n), kind) for n, (kind, _) in found.items()} for key, found in made.items()
        }
        return command(**given, **held)

    extra = [parameter for found in made.values() for _, parameter in found.values()]
    keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in [*shared, *extra]]
    run.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in keyword}
    run.__name__, run.__doc__ = name, text
    return run


def _made(options: type[Any]) -> dict[str, tuple[Any, inspect.Parameter]]:
    """Type and option of each field."""
    types = get_type_hints(options)
    shown = [f for f in fields(options) if not f.metadata.get("internal")]
    return {f.name: (types[f.name], _parameter(f, types[f.name])) for f in shown}


def _parameter(field: Field[Any], kind: Any) -> inspect.Parameter:
    """A field as an option; a tuple is text by commas."""
    many = get_origin(kind) is tuple
    default: Any = field.default
    default = ",".join(map(_text, default)) if many else default
    plain: Any = str if many else kind
    annotation: Any = Annotated[plain, typer.Option(help=str(field.metadata.get("help", "")))]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _value(name: str, given: Any, kind: Any) -> Any:
    if get_origin(kind) is not tuple:
        return given
    inner = get_args(kind)[0]
    try:
        return tuple(inner(word) for word in words(given))
    except ValueError:
        raise InputError(f"--{name.replace('_', '-')} {given!r}; expected numbers by commas, such as 0.1,0.5") from None


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
