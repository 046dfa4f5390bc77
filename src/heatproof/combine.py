"""Combinators: methods made of methods. Each gives a `Composed`, which is itself a method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import reduce
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from .engine.call import attribute
from .engine.chunks import normal_like, sample_generators
from .engine.passes import check_inputs, own, predict
from .errors import InputError
from .score import check_target, logit
from .types import METHODS, Explain, Score, Spec, name_of, spec_of


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
    """How a combination is computed, and what is known about it from what is known about its parts."""

    run: Callable[..., Tensor]
    spec: Callable[..., Spec | None]


def smooth(explain: Explain, n: int = 50, sigma: float = 0.15, seed: int = 0) -> Composed:
    """SmoothGrad of any method: the mean of its maps over noisy copies of the input (Smilkov et al. 2017).

    Args:
        explain: any method or callable; called once a draw, with the caller's batch.
        n: draws, default 50.
        sigma: standard deviation of the noise as a share of each image's (max - min), default 0.15.
        seed: the noise of a sample comes from (seed, index), default 0.

    Source: arXiv:1706.03825, section 3; signed mean, noise relative to each image, not to the batch.
    """
    given = {"n": n, "sigma": sigma, "seed": seed}
    return compose("smooth", explain, **{k: v for k, v in given.items() if v != SMOOTH[k]})


def compose(name: str, *parts: Explain, **options: Any) -> Composed:
    """A combination by its name, with its options checked."""
    wanted = [p for p in list(signature(COMBINATORS[name].run).parameters)[: len(parts) or 1] if p == "explain"]
    if len(parts) != len(wanted):
        raise InputError(f"{name} takes {len(wanted) or 1} method, got {len(parts)}: {name}(gradient)")
    _check_options(name, COMBINATORS[name].run, options, skip=len(parts))
    return Composed(name, parts, tuple(sorted(options.items())))


def configure(explain: Explain, **options: Any) -> Explain:
    """A method with some of its options set: ``configure(gradcam, layer="layer4")``, named ``gradcam(layer='layer4')``."""
    if not options:
        return explain
    if isinstance(explain, Composed):
        _check_options(repr(explain), COMBINATORS[explain.name].run, options, skip=len(explain.parts))
        return replace(explain, options=tuple(sorted({**dict(explain.options), **options}.items())))
    _check_options(name_of(explain), explain, options, skip=0)
    return Composed("configured", (explain,), tuple(sorted(options.items())))


def effort_of(explain: Explain) -> tuple[int, bool]:
    """The option that trades time for precision, and whether the caller set it; (0, False) where there is none."""
    spec = spec_of(explain)
    if spec is None or not spec.effort:
        return 0, False
    inner: Any = explain
    if isinstance(explain, Composed):
        if spec.effort in dict(explain.options):
            return _whole(dict(explain.options)[spec.effort], name_of(explain)), True
        inner = explain.parts[0] if explain.name == "configured" else COMBINATORS[explain.name].run
    return int(signature(inner).parameters[spec.effort].default), False


def _whole(number: Any, name: str) -> int:
    if not isinstance(number, int) or number < 1:
        raise InputError(f"{name}: {number!r} is no whole number of 1 or more")
    return number


def with_effort(explain: Explain, effort: int) -> Explain:
    """The method with less effort: ``integrated_gradients(steps=10)``; unchanged where it has no such option."""
    spec = spec_of(explain)
    return configure(explain, **{spec.effort: effort}) if spec and spec.effort else explain


def entry(name: str, composed: Composed) -> Composed:
    """A composition under a name of its own, entered in `METHODS` (smoothgrad)."""
    named = replace(composed, title=name)
    METHODS[name] = named
    return named


def _check_options(name: str, function: Callable[..., Any], options: dict[str, Any], skip: int) -> None:
    known = list(signature(function).parameters.values())[skip + 3 :]
    names = [p.name for p in known if p.name not in ("score", "index")]
    if any(p.kind is p.VAR_KEYWORD for p in known):
        return
    if unknown := [key for key in options if key not in names]:
        raise InputError(f"{name} has no option {unknown[0]!r}; it has {', '.join(names) or 'none'}")


def _smooth(
    explain: Explain,
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    n: int = 50,
    sigma: float = 0.15,
    seed: int = 0,
    index: Tensor | None = None,
) -> Tensor:
    """Mean of a method's maps over noisy copies of the input. ``(B, C, H, W)`` as the method's own.

    Source: Smilkov et al. 2017, arXiv:1706.03825. Signed mean over `n` draws; the noise is normal with `sigma` times
    each image's (max - min), drawn from (seed, index of the sample), so that it does not depend on the batch and is the
    same for every model that a check compares.

    Args:
        model, inputs, target, score: as in `gradient`; target None is resolved once, on the clean input.
        n: draws. sigma: share of the image's range. seed, index: see above; index int64 ``(B,)``, default 0 to B - 1.
    """
    if not isinstance(n, int) or n < 1 or not isinstance(sigma, (int, float)) or sigma < 0:
        raise InputError(f"smooth(n={n!r}, sigma={sigma!r}): expected a whole n >= 1 and a number sigma >= 0")
    private = own(model)
    check_inputs(private, inputs)
    target = (
        predict(private, inputs, score) if target is None else check_target(target, len(inputs), inputs.device, None)
    )
    x = inputs.detach()
    spread = (x.flatten(1).amax(1) - x.flatten(1).amin(1)).reshape(-1, *[1] * (x.dim() - 1)) * sigma
    draws = sample_generators(seed, index, len(x), "smooth")
    maps = (
        attribute(explain, private, x + spread * normal_like(x, draws), target, score=score, seed=seed, index=index)
        for _ in range(n)
    )
    return reduce(torch.add, maps) / n


def _smooth_spec(part: Spec | None) -> Spec:
    known = part or Spec()
    return replace(
        known, source="arXiv:1706.03825", complete=False, noise=True, control_noise=False, effort="n", needs=frozenset()
    )


def _configured(explain: Explain, model: nn.Module, inputs: Tensor, target: Any = None, /, **options: Any) -> Tensor:
    """A method with some of its options set."""
    return explain(model, inputs, target, **options)


SMOOTH: dict[str, Any] = {"n": 50, "sigma": 0.15, "seed": 0}
"""Defaults of `smooth`, which are left out of its text."""

COMBINATORS: dict[str, Combinator] = {
    "configured": Combinator(_configured, lambda part: replace(part, needs=frozenset()) if part else None),
    "smooth": Combinator(_smooth, _smooth_spec),
}
