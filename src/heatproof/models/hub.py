"""Image classifiers of Hugging Face from a folder on disk: network, weights, class names. Nothing is downloaded."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, WeightsError
from .hub_library import ABSENT, LOCAL, config_of, quiet, told
from .weights import file_sha256, state_sha256


class HubClassifier(nn.Module):
    """A classifier of transformers as a module from images ``(B, C, H, W)`` to logits ``(B, classes)``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(pixel_values=images).logits
        return logits

    def extra_repr(self) -> str:
        """Names the settings that no module shows, such as the number of heads: other settings are another network."""
        told: Any = self.model.config
        held = {name: v for name, v in told.to_dict().items() if name not in ("_name_or_path", "transformers_version")}
        return f"config {hashlib.sha256(json.dumps(held, sort_keys=True, default=str).encode()).hexdigest()[:16]}"


def hub_factory(folder: str) -> Callable[[], nn.Module]:
    """Makes the architecture that a folder describes, with random weights."""
    _check_folder(folder)
    return functools.partial(_random, folder)


def hub_model(folder: str) -> tuple[nn.Module, str]:
    """The network with the folder's weights, which are safetensors, and their SHA-256.

    Raises:
        InputError: no such folder, or nothing there that describes an image classifier.
        WeightsError: no safetensors, or not all that the network needs.
    """
    _check_folder(folder)
    files = sorted(Path(folder).glob("*.safetensors"))
    if not files:
        pickles = [path.name for path in sorted(Path(folder).glob("*.bin"))]
        why = f"its {pickles[0]} is a pickle, which is not opened" if pickles else "it has no weights"
        raise WeightsError(
            f"{folder} holds no .safetensors file: {why}; where you trust it, save it again with "
            "model.save_pretrained(FOLDER), which writes model.safetensors"
        )
    with told(folder), quiet() as auto:
        model, found = auto.AutoModelForImageClassification.from_pretrained(
            folder,
            use_safetensors=True,
            attn_implementation="eager",
            dtype=torch.float32,
            output_loading_info=True,
            **LOCAL,
        )
    if lacking := [*sorted(found["missing_keys"]), *sorted(map(str, found["mismatched_keys"]))]:
        raise WeightsError(
            f"{folder}: {len(lacking)} weights of {type(model).__name__} are missing or of another shape, the first is "
            f"{lacking[0]}; random numbers would take their place: give a folder of a trained image classifier"
        )
    if bad := [name for name, weight in model.named_parameters() if not weight.isfinite().all()]:
        raise WeightsError(f"{folder}: {len(bad)} weights hold NaN or infinite numbers, the first is {bad[0]}")
    return HubClassifier(model), file_sha256(files[0]) if len(files) == 1 else state_sha256(model)


def hub_categories(folder: str) -> tuple[str, ...] | None:
    """Class names in the order of the outputs; None where the folder only numbers them."""
    with told(folder):
        names = config_of(folder).id2label
    found = tuple(str(names[i]) for i in range(len(names)))
    return None if all(re.fullmatch(r"LABEL_\d+", name) for name in found) else found


def _random(folder: str) -> nn.Module:
    with told(folder), quiet() as auto:
        model = auto.AutoModelForImageClassification.from_config(
            config_of(folder), attn_implementation="eager", dtype=torch.float32, trust_remote_code=False
        )
    return HubClassifier(model)


def _check_folder(folder: str) -> None:
    if not (Path(folder) / "config.json").is_file():
        what = "has no config.json" if Path(folder).is_dir() else "is no folder here, and nothing is downloaded"
        raise InputError(f"hf:{folder}: {folder!r} {what}; {ABSENT}")
