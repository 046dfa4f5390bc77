"""What a method is: a plain function ``(model, inputs, target, *, score, ...) -> maps``, and what is known about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from torch import Tensor, nn

from .errors import HeatproofError
from .notebook import shows

if TYPE_CHECKING:
    METHODS: Methods
    """Every method by name; filled by `method` as the files of ``methods/`` are imported, never listed by hand."""


class Score(Protocol):
    """What a map explains: ``score(out, target) -> (B,)``."""

    def __call__(self, out: Any, target: Tensor, /) -> Tensor: ...


class Explain(Protocol):
    """Any attribution method, ours or the user's: ``(model, inputs, target) -> (B, C, H, W)`` or ``(B, 1, H, W)``."""

    def __call__(
        self, model: nn.Module, inputs: Tensor, target: Any = None, /, *args: Any, **options: Any
    ) -> Tensor: ...


@dataclass(frozen=True)
class Spec:
    """What is known about a method; the contract tests, the planner and the docs read nothing else.

    Attributes:
        source: paper and equation or section.
        channels: True for maps in the shape of the inputs, False for ``(B, 1, H, W)``.
        signed: whether a value can be negative (evidence against the class).
        linear_in_target: the map of a sum of class scores is the sum of their maps, and a linear layer at the end counts
            as its plain weights, so that `compete` may explain its features instead (not so under the rules of LRP).
        complete: the map sums to the score, or to its change from a baseline.
        image: needs ``(B, C, H, W)`` inputs; False for methods that take any shape.
        uses_model: False for controls that never run the model.
        noise: takes ``seed`` and ``index`` (int64 ``(B,)``, the sample's place in the data set).
        control_noise: its noise is drawn anew for each model variant of a check (random map).
        effort: its option that trades time for precision ("steps", "n"), which a budget may lower; "" for none.
        score: what its paper explains where that is not the logit; audit and explain use it unless another was chosen.
        needs: the passes it reads, as (rule set, place) pairs, so that a job runs each pass once.
    """

    source: str = ""
    channels: bool = True
    signed: bool = True
    linear_in_target: bool = False
    complete: bool = False
    image: bool = False
    uses_model: bool = True
    noise: bool = False
    control_noise: bool = False
    effort: str = ""
    score: Score | None = None
    needs: frozenset[tuple[str, str]] = frozenset()


class Methods(dict[str, Explain]):
    """Methods by name; lists them in a notebook."""

    _repr_html_ = shows("methods")


_FOUND = Methods()

F = TypeVar("F", bound=Callable[..., Tensor])


def method(**facts: Any) -> Callable[[F], F]:
    """Mark a function as a method and put it into `METHODS` under its own name. Marks, never wraps.

    Args:
        **facts: the fields of `Spec`.

    Example:
        >>> from heatproof.types import METHODS
        >>> @method(source="a toy", uses_model=False)
        ... def toy(model, inputs, target=None, *, score=None):
        ...     return inputs * 0
        >>> spec_of(METHODS.pop("toy")).source
        'a toy'
    """
    spec = Spec(**facts)

    def mark(function: F) -> F:
        name = function.__name__
        held = _FOUND.get(name)
        if held is not None and getattr(held, "__module__", None) != function.__module__:
            raise HeatproofError(f"two methods are called {name!r}: in {held.__module__} and in {function.__module__}")
        object.__setattr__(function, "__heatproof_spec__", spec)
        enter(name, function)
        return function

    return mark


def enter(name: str, explain: Explain) -> None:
    """Put a method into `METHODS`."""
    _FOUND[name] = explain


def __getattr__(name: str) -> Any:
    """`METHODS` is asked for: whoever reads it finds every method, whatever was imported before."""
    if name != "METHODS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module(".methods", __package__)
    return _FOUND


def spec_of(explain: Explain) -> Spec | None:
    """What is known about a method; None for a callable that was never marked."""
    return getattr(explain, "__heatproof_spec__", None)


def needs_of(explain: Explain) -> frozenset[tuple[str, str]]:
    """The passes that a method reads (`Spec.needs`); nothing is known of a callable that was never marked."""
    spec = spec_of(explain)
    return spec.needs if spec else frozenset()


def name_of(explain: Explain) -> str:
    """The name of a method in tables: a composition's text, else the function's name."""
    return str(getattr(explain, "__name__", None) or repr(explain))
