"""From the options of a command to a model, images, targets and methods."""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch

from ..checks.draws import INITS
from ..data.choice import Split
from ..data.folder import read_images
from ..data.images import ImageSet
from ..data.labels import read_class_names
from ..data.lookup import find_object
from ..data.preprocess import override
from ..engine.guard import fixed_batch
from ..engine.model import all_outputs, own
from ..errors import HeatproofError, InputError
from ..models.spec import LoadedModel, load_model
from ..score import SCORES, logit
from ..score import classes as class_count
from ..types import METHODS, Score, name_of
from .console import bar, console, working
from .texts import floats, words


@dataclass(frozen=True)
class Inputs:
    """What a command is about: model, images, class names; listed: those of --class-names."""

    loaded: LoadedModel
    images: ImageSet
    names: tuple[str, ...] | None
    listed: tuple[str, ...] | None = None


def load_inputs(
    model: str,
    weights: Path | None,
    images: Path,
    limit: int | None,
    first: bool,
    split: str | None,
    size: int | None,
    resize: int | None,
    mean: str | None,
    std: str | None,
    preprocess: str | None,
    class_names: Path | None,
    device: str,
    most: int | None = None,
) -> Inputs:
    """Model, images and class names, as the options of every command give them. most: see `read_images`."""
    loaded = loaded_as_given(model, weights, size, resize, mean, std, preprocess, device)
    how = loaded.preprocess
    with bar("reading images") as step:
        found = read_images(
            images, how, limit, progress=lambda n, total: step(n, total, None), split=split_from(split),
            order="first" if first else "spread", most=most,
        )  # fmt: skip
    for file, reason in found.skipped:
        console.print(f"skipped: {file}: {reason}", style="yellow")
    listed = tuple(read_class_names(class_names)) if class_names else None
    if listed:
        _check_listed(listed, found, loaded)
    names = listed or loaded.categories or _names_of(found, loaded.model)
    return Inputs(loaded, found, names, listed)


def loaded_as_given(
    model: str,
    weights: Path | None,
    size: int | None,
    resize: int | None,
    mean: str | None,
    std: str | None,
    preprocess: str | None,
    device: str,
) -> LoadedModel:
    """A model, with its preset as the options change it."""
    with working(f"loading {model}"):
        loaded = load_model(model, weights, device=device_from(device))
    how = override(loaded.preprocess, size=size, resize=resize, mean=floats(mean), std=floats(std), function=preprocess)
    return replace(loaded, preprocess=how)


def _names_of(found: ImageSet, model: torch.nn.Module) -> tuple[str, ...] | None:
    """The source's class names, where there are as many as outputs: names of other numbers would be wrong."""
    if found.classes is None:
        return None
    return found.classes if _outputs(found, model) in (None, len(found.classes)) else None


def _check_listed(listed: tuple[str, ...], found: ImageSet, loaded: LoadedModel) -> None:
    """Refuse a list of names for other classes: all behind a gap would be wrong."""
    outputs = _outputs(found, loaded.model)
    if outputs is not None and outputs > 1 and outputs != len(listed):
        raise InputError(
            f"--class-names names {len(listed)} classes and {loaded.name} has {outputs} outputs; give a name for every "
            "output, in their order"
        )


def _outputs(found: ImageSet, model: torch.nn.Module) -> int | None:
    """Of how many classes the model returns logits; None where of none, which the command says itself."""
    try:
        private = own(model)
        return class_count(all_outputs(private, found.held[:1], logit, fixed_batch(private) or 1), logit)
    except HeatproofError:
        return None


def black_of(images: ImageSet) -> torch.Tensor | None:
    """A black pixel in the model's units, ``(C,)``; None where the units are unknown."""
    if images.mean is None or images.std is None:
        return None
    return -torch.tensor(images.mean) / torch.tensor(images.std)


UNITS = (
    "pixels go into the network as 0 to 1, since nothing says otherwise; if it was trained on others, give --mean, --std, "
    "or --preprocess"
)


def about(given: Inputs) -> dict[str, Any]:
    """What the report says of model and images."""
    loaded, found, names = given.loaded, given.images, given.names
    warnings = [f"skipped {file}: {reason}" for file, reason in found.skipped]
    if loaded.trained is False:
        warnings.append("the network has random weights: its maps explain nothing that was learned (give --weights)")
    how = loaded.preprocess
    if found.mean is not None and how is not None and how.mean is None and how.function is None:
        warnings.append(UNITS)
    rows = [
        {"name": n, **({"label": label} if label else {})} for n, label in zip(found.names, found.labels, strict=True)
    ]
    facts: dict[str, Any] = {
        "model": loaded.name,
        "dataset": Path(found.source).name,
        "images": rows,
        "command": shlex.join(["heatproof", *sys.argv[1:]]),
        "warnings": warnings,
        "class_names": list(names) if names else [],
    }
    if loaded.weights_sha256:
        facts["weights_file_sha256"] = loaded.weights_sha256
    return facts


def target_from(text: str | None, given: Inputs) -> torch.Tensor | None:
    """The class that --target names, for every image; None for the predicted one."""
    found, names = given.images, given.names
    if text is None:
        return None
    if re.fullmatch("-?[0-9]{1,18}", text):  # as many digits as fit into int64
        number = int(text)
    elif names and text in names:
        number = names.index(text)
    else:
        more = ", ..." if names and len(names) > 5 else ""
        known = f"the classes are {', '.join(names[:5])}{more}" if names else "give --class-names"
        raise InputError(f"--target {text!r} is neither a number nor a class name; {known}")
    return torch.full((len(found),), number, dtype=torch.int64)


def score_from(text: str) -> Score:
    if text in SCORES:
        return SCORES[text]
    if ":" not in text:
        raise InputError(f"--score {text!r}; expected one of {', '.join(SCORES)}, or package.module:function")
    found: Score = find_object(text, "a score")
    if not callable(found):
        raise InputError(f"--score {text!r} is a {type(found).__name__}; expected a function (out, target) -> (B,)")
    return found


def verdict_names(text: str | None) -> list[str]:
    from ..checks.verdict import WORST_FIRST

    wanted = words(text) if text else []
    known = (*WORST_FIRST, "refused")
    if unknown := [w for w in wanted if w not in known]:
        raise InputError(f"--fail-on {unknown[0]!r}; expected some of {', '.join(known)}")
    return wanted


def split_methods(text: str | None) -> list[str] | None:
    """Methods by commas that are not inside brackets; "all" for every method."""
    if text is None:
        return None
    if text.strip() == "all":
        return [name_of(m) for m in METHODS.values()]
    parts, depth, current = [], 0, ""
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and not depth:
            parts.append(current)
            current = ""
        else:
            current += letter
    if not (found := [p.strip() for p in [*parts, current] if p.strip()]):
        raise InputError(f"{text!r} names nothing; give names by commas, or leave the option out")
    return found


def split_from(text: str | None) -> Split | None:
    if text not in (None, "train", "test"):
        raise InputError(f"--split {text!r}; expected train or test")
    return cast("Split | None", text)


def init_from(text: str | None, model: str) -> str | dict[str, torch.Tensor] | None:
    """A way of drawing new weights, or the weights of a second checkpoint."""
    if text is None or text in INITS:
        return text
    if not os.path.isfile(text):  # unlike Path.is_file, False for a name that is too long
        raise InputError(f"--init {text!r} is neither a file of weights nor what is expected else: {', '.join(INITS)}")
    return {name: t.detach() for name, t in load_model(model, text).model.state_dict().items()}


def device_from(text: str) -> str:
    if text == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=text).tolist()  # the device meta holds no numbers
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"--device {text!r} cannot be used: {str(error).splitlines()[0]}; expected auto, cpu, cuda, cuda:1"
        ) from None
    return text


def set_threads(threads: int | None) -> None:
    if threads:
        torch.set_num_threads(threads)
