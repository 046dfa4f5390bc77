"""A trained network on disk: one safetensors file with the weights and a card that says where they come from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from ..errors import WeightsError
from .weights import load_weights

CARD = "heatproof"  # the key of the card in the file's metadata


def save_checkpoint(path: str | Path, model: nn.Module, card: Mapping[str, Any]) -> Path:
    """Write the weights and the card; an interrupted write leaves whatever was at `path` before.

    Args:
        path: the file, ``.safetensors``; its folder is made.
        model: all of its parameters and buffers are written, from any device.
        card: what JSON can hold: data, accuracy, seed, epochs.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # a tied tensor is written under each of its names; safetensors refuses shared memory
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_file(tensors, temporary, metadata={CARD: json.dumps(dict(card), sort_keys=True)})
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def load_checkpoint(path: str | Path, model: nn.Module) -> dict[str, Any]:
    """Load the weights into the model, in place, and return the card (empty for files of other tools).

    Raises:
        WeightsError: the file is missing or damaged, or does not fit the model; then the model is unchanged.
    """
    card = read_card(path)
    load_weights(model, path)
    return card


def read_card(path: str | Path) -> dict[str, Any]:
    """The card alone, without the weights; empty for files of other tools.

    Raises:
        WeightsError: the file is missing or no whole safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            card: dict[str, Any] = json.loads((file.metadata() or {}).get(CARD, "{}"))
            return card
    except FileNotFoundError as error:
        raise WeightsError(f"there is no weights file {path}") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read as safetensors ({error}); delete it and make it again") from error
