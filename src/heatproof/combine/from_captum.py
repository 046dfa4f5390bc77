"""Attribution methods of captum as methods of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from inspect import isclass
from typing import Any

from ..errors import InputError
from ..types import Spec
from .captum_maps import captum_attr, captum_maps
from .composed import COMBINATORS, Combinator, Composed, combine

UNUSABLE = {
    "Neuron": "it explains a neuron, and no class",
    "LLM": "it explains texts",
    "RemoteLLM": "it explains texts",
    "DataLoader": "it explains a whole data set at once",
    "NoiseTunnel": "it takes a method itself; give a function f(model) that returns NoiseTunnel(Saliency(model))",
    "FeaturePermutation": "it mixes the images of a batch, so that a map hangs on the images beside it",
    "LayerFeaturePermutation": "it mixes the images of a batch, so that a map hangs on the images beside it",
}
"""Beginnings of names of captum's classes that give no map of a class for one image."""


def from_captum(method: Callable[..., Any], /, layer: str | None = None, **options: Any) -> Composed:
    """A method of captum as one of ours: in `audit`, `bench`, `smooth`, `compete`; on the command line captum:Saliency.

    What captum computes is taken as it is: its Saliency is absolute unless ``abs=False``, its guided backprop passes
    over ReLUs that are no modules. It runs on a private twin, so that no hook and no gradient stays behind, also after an
    error, and by its own default in all else.

    Args:
        method: a class (``captum.attr.Saliency``), or a function ``f(model) -> captum.attr.Attribution`` (``f(model,
            layer)`` for one of a layer), at the top of a module so that other processes find it.
        layer: path of the module that a method of a layer reads ("layer4", "features.12"). Maps of a layer are summed over
            its channels and upsampled bilinearly to the size of the images, as `gradcam` is.
        **options: of its ``attribute``: plain values, the same for all images.

    Raises:
        InputError: an object that is bound to a model; options that are no plain values; a class that explains no class.

    Example:
        >>> from captum.attr import IntegratedGradients
        >>> from_captum(IntegratedGradients, n_steps=20)
        captum:IntegratedGradients(n_steps=20)
    """
    if hasattr(method, "attribute") and not isclass(method) and getattr(method, "forward_func", None) is not None:
        raise InputError(
            f"from_captum got a {type(method).__name__} that is bound to a model, and audits explain other networks too; "
            f"give its class: from_captum({type(method).__name__}, ...)"
        )
    if not callable(method):
        raise InputError(f"from_captum got a {type(method).__name__}; expected a class of captum.attr, or f(model)")
    named = isclass(method) and method.__module__.startswith("captum.")
    if named and (why := next((UNUSABLE[u] for u in UNUSABLE if method.__name__.startswith(u)), "")):
        raise InputError(f"captum's {method.__name__} cannot be a method of ours: {why}")
    if layer is not None:
        options["layer"] = layer
    found = combine("captum", method, **options)
    return replace(found, title=f"captum:{method.__name__}") if named else found


def captum_method(name: str) -> Composed:
    """captum's method of a name, as texts give it: ``captum:Saliency``."""
    attr = captum_attr()
    known = [n for n in attr.__all__ if isclass(held := getattr(attr, n)) and issubclass(held, attr.Attribution)]
    if name not in known:
        usable = sorted(n for n in known if not n.endswith("Attribution") and not n.startswith(tuple(UNUSABLE)))
        raise InputError(f"captum:{name}: captum has no such method; expected one of {', '.join(usable)}")
    return from_captum(getattr(attr, name))


def _plain(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(map(_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def _check(**options: Any) -> None:
    if odd := [name for name, value in options.items() if not _plain(value)]:
        raise InputError(
            f"from_captum({odd[0]}={type(options[odd[0]]).__name__}): expected numbers, texts, True, False, None or tuples "
            "of them, which a table can show and another process can be sent; give all else in a function f(model) that "
            "makes the object"
        )
    if taken := {"target", "inputs", "additional_forward_args", "return_convergence_delta"} & set(options):
        raise InputError(f"from_captum({min(taken)}=...) is not an option: inputs and classes come with each call")


def _spec(part: Spec | None) -> Spec:
    del part
    return Spec(source="captum", noise=True)


COMBINATORS["captum"] = Combinator(captum_maps, _spec, _check)
