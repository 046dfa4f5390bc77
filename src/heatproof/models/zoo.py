"""Architectures of torchvision and timm, with the presets and class names of their published weights. No download."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..data.preprocess import Preprocess, override
from ..errors import HeatproofError, InputError, ModelError

AUXILIARY = ("AuxLogits.", "aux1.", "aux2.")
"""Heads of Inception v3 and GoogLeNet that only training runs: never built, and passed over in weights files."""

_WITHOUT_HEADS = {"aux_logits": False, "init_weights": True, "transform_input": True}
# transform_input: the published weights expect it after the preset's normalisation
_DEFAULTS: dict[str, dict[str, Any]] = {"inception_v3": _WITHOUT_HEADS, "googlenet": _WITHOUT_HEADS}


@dataclass(frozen=True)
class Architecture:
    """How to make a network with random weights, its preset, and the names of its classes."""

    name: str
    factory: Callable[[], nn.Module]
    preprocess: Preprocess | None
    categories: tuple[str, ...] | None


def torchvision_model(name: str, options: dict[str, Any]) -> Architecture:
    """A classifier of ``torchvision.models``, without auxiliary heads; preset of its default weights."""
    models = _torchvision()
    name = name.lower()
    _check_name(name, models.list_models(module=models), "torchvision")
    published = getattr(models.get_model_weights(name), "DEFAULT", None)
    options = {**_DEFAULTS.get(name, {}), **options}
    if published is None:
        return Architecture(name, functools.partial(_make_torchvision, name, options), None, None)
    preset = _torchvision_preset(published.transforms())
    if name.startswith("vit_"):  # built for one size of image, which is not always the preset's
        options = {"image_size": preset.size, **options}
        preset = override(preset, size=options["image_size"])
    names = tuple(published.meta["categories"])
    if options.get("num_classes", len(names)) != len(names):
        names = ()
    return Architecture(name, functools.partial(_make_torchvision, name, options), preset, names or None)


def timm_model(name: str, options: dict[str, Any]) -> Architecture:
    """An architecture of timm, maybe with a tag (``vit_tiny_patch16_224.augreg_in21k``); preset of that tag."""
    timm = _timm()
    _check_name(name.partition(".")[0], timm.list_models(), "timm")
    if barred := {"pretrained", "checkpoint_path"} & set(options):
        raise InputError(f"timm:{name}: {sorted(barred)} is not taken; weights come from a file (weights=...)")
    factory = functools.partial(_make_timm, name, options)
    held = _timm_config(timm, name)
    if held is None:
        return Architecture(name, factory, None, None)
    classes = held["num_classes"]
    categories = _imagenet_names(timm.data) if classes == options.get("num_classes", classes) == 1000 else None
    return Architecture(name, factory, _timm_preset(timm.data, held, options), categories)


def _timm_config(timm: Any, name: str) -> dict[str, Any] | None:
    """What timm knows of the published weights of this name and tag; None where there are none."""
    try:
        held = timm.get_pretrained_cfg(name)
        return None if held is None else dict(held.to_dict())
    except RuntimeError as error:
        tags = [known for known in timm.list_pretrained() if known.startswith(name.partition(".")[0] + ".")]
        raise InputError(f"timm:{name}: {error}; expected one of the tags {', '.join(tags) or '(none)'}") from error


def _make_torchvision(name: str, options: dict[str, Any]) -> nn.Module:
    model: nn.Module = _made(f"torchvision:{name}", _torchvision().get_model, name, weights=None, **options)
    return model


def _make_timm(name: str, options: dict[str, Any]) -> nn.Module:
    model: nn.Module = _made(f"timm:{name}", _timm().create_model, name, pretrained=False, **options)
    return model


def _made(spec: str, make: Callable[..., Any], name: str, **options: Any) -> Any:
    try:
        return make(name, **options)
    except (TypeError, ValueError, RuntimeError, AssertionError, KeyError) as error:
        raise ModelError(f"{spec} cannot be built with {options}: {error}") from error


def _torchvision_preset(transform: Any) -> Preprocess:
    crop, resize = transform.crop_size, transform.resize_size
    return Preprocess(
        size=_side(crop),
        resize=_side(resize or crop),
        mean=tuple(transform.mean),
        std=tuple(transform.std),
        interpolation=transform.interpolation.value,
        preset=True,
    )


def _timm_preset(data: Any, held: dict[str, Any], options: dict[str, Any]) -> Preprocess | None:
    """As numbers for square centre crops; else (squashed, padded, oblong) timm's own transform.

    None where the constructor's options ask for images that the published weights were not made for.
    """
    size = options.get("img_size")
    if options.get("in_chans", held["input_size"][0]) != 3 or not (size is None or isinstance(size, int)):
        return None
    config = data.resolve_data_config({"img_size": size}, pretrained_cfg=held)
    _, height, width = config["input_size"]
    centred = config["crop_mode"] == "center" and height == width
    return Preprocess(
        size=height if centred else None,
        resize=math.floor(height / config["crop_pct"]) if centred else None,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        function=None if centred else data.create_transform(**config, is_training=False),
        interpolation=config["interpolation"],
        preset=True,
    )


def _imagenet_names(data: Any) -> tuple[str, ...]:
    return tuple(data.ImageNetInfo("imagenet-1k").label_descriptions())


def _check_name(name: str, known: Iterable[str], kind: str) -> None:
    known = list(known)
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"; did you mean {', '.join(near)}?" if near else f"; expected one of its {len(known)}, such as {known[0]}"
    raise InputError(f"{kind} has no image classifier called {name!r}{hint}")


def _side(size: list[int]) -> int:
    return int(size[0])


def _torchvision() -> Any:
    try:
        import torchvision.models
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch
        raise _absent("torchvision", error) from error
    return torchvision.models


def _timm() -> Any:
    try:
        import timm
        import timm.data
    except (ImportError, RuntimeError) as error:
        raise _absent("timm", error) from error
    return timm


def _absent(package: str, error: Exception) -> HeatproofError:
    return HeatproofError(f"{package} cannot be imported ({error}); install it with: pip install 'heatproof[vision]'")
