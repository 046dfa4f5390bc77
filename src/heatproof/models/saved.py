"""A trained network on disk: one safetensors file with the weights and a card that says where they come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from ..errors import InputError, RunError, WeightsError
from ..whole import written_whole
from .weights import load_weights

CARD = "heatproof"  # the key of the card in the file's metadata


def save_network(path: str | Path, model: nn.Module, card: Mapping[str, Any]) -> Path:
    """Write the weights and the card; an interrupted write leaves whatever was at `path` before.

    Args:
        path: the file, ``.safetensors``; its folder is made.
        model: all of its parameters and buffers are written, from any device.
        card: what JSON can hold: the data and the accuracy on unseen images, with `Training.card` for the rest
            (``{"data": "mnist", "accuracy": 0.99, **training.card}``).

    Raises:
        InputError: a card that JSON cannot hold.
        RunError: the disk is full, or the folder cannot be written to.
    """
    try:
        text = json.dumps(dict(card), sort_keys=True)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"save_network({str(path)!r}): JSON cannot hold this card ({error}); give numbers, texts, True, False, None, "
            "and lists and dicts of them"
        ) from None
    # a tied tensor is written under each of its names; safetensors refuses shared memory
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}
    return write_whole(Path(path), lambda temporary: save_file(tensors, temporary, metadata={CARD: text}))


def load_network(path: str | Path, model: nn.Module) -> dict[str, Any]:
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


def write_whole(path: Path, content: Callable[[Path], object]) -> Path:
    """Let `content` write a temporary file beside `path`, whose folder is made, then rename it.

    Raises:
        RunError: the disk is full, or the folder cannot be written to.
    """
    try:
        with written_whole(path) as temporary:
            content(temporary)
    except (OSError, SafetensorError) as error:  # its writer reports a full disk in its own way
        raise RunError(f"{path} could not be written: {error}; free space or name another file") from error
    return path
