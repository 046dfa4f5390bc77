"""A trained network on disk: one safetensors file with the weights and a card that says where they come from."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import WeightsError

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
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    try:
        save_file(tensors, temporary, metadata={CARD: json.dumps(dict(card), sort_keys=True)})
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return path


def load_checkpoint(path: str | Path, model: nn.Module) -> dict[str, Any]:
    """Load the weights into the model, in place, and return the card (empty for files of other tools).

    Raises:
        WeightsError: the file is missing or damaged, or does not fit the model; then the model is unchanged.
    """
    path = Path(path)
    tensors, card = _read(path)
    own = model.state_dict()
    missing, unexpected = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    shapes = [name for name, value in tensors.items() if name in own and value.shape != own[name].shape]
    if missing or unexpected or shapes:
        raise WeightsError(
            f"{path} does not fit {type(model).__name__}: missing {missing[:3]}, unexpected {unexpected[:3]}, of another "
            f"shape {[f'{n} {tuple(tensors[n].shape)} for {tuple(own[n].shape)}' for n in shapes[:3]]}"
        )
    model.load_state_dict(tensors)
    return card


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            card: dict[str, Any] = json.loads((file.metadata() or {}).get(CARD, "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, card  # noqa: SIM118  (not a mapping)
    except FileNotFoundError as error:
        raise WeightsError(f"{path} is missing; expected a safetensors file") from error
    except (SafetensorError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read as safetensors ({error}); delete it and make it again") from error
