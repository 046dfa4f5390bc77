"""Weights from a file into a model: safetensors or a state-dict checkpoint. No code of a file is ever run."""

from __future__ import annotations

import hashlib
import os
import pickle
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ..data.files import DAMAGED
from ..errors import WeightsError
from .zoo import AUXILIARY

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
"""Keys under which training scripts save the state dict."""

PREFIXES = ("module.", "_orig_mod.", "model.")
"""What DataParallel, torch.compile and Lightning put before every key."""


def load_weights(model: nn.Module, path: str | Path, device: str | torch.device = "cpu") -> str:
    """Load the weights into the model, in place. -> SHA-256 of the file.

    Takes out of a checkpoint what is under one of `WRAPPERS`, and strips `PREFIXES` where every key has them.
    ``num_batches_tracked`` may be missing, and so may one of two names of a shared tensor; heads that only training
    runs (`AUXILIARY`) are passed over where the model was built without them.

    Args:
        path: .safetensors, or any other ending for ``torch.load(weights_only=True)``.
        device: where the file's tensors are read to; the model stays where it is.

    Raises:
        WeightsError: the file is missing, damaged, or holds code (which is not run), or does not fit the model (names
            the first missing, unexpected and misshapen keys); the model is unchanged then.
    """
    path = Path(path)
    state = _stripped(_unwrapped(_read(path, device), path), model)
    _check_fit(model, state, path)
    own = model.state_dict()
    fitting = type(own)({name: value for name, value in state.items() if name in own})
    fitting._metadata = getattr(own, "_metadata", None)  # type: ignore[attr-defined]  # versions: the current ones
    model.load_state_dict(fitting, strict=False)
    return file_sha256(path)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def state_sha256(model: nn.Module) -> str:
    """SHA-256 of all parameters and buffers: names, types, shapes and bytes. For weights that come from no file."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        if isinstance(value, Tensor):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _read(path: Path, device: str | torch.device) -> Any:
    if not os.path.isfile(path):  # unlike Path.is_file, False for a name that is too long
        what = f"{path} is a folder" if os.path.isdir(path) else f"there is no weights file {path}"
        raise WeightsError(f"{what}; expected a .safetensors file or a checkpoint")
    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path, device=str(device))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            warnings.filterwarnings("error", ".*looks like a TorchScript archive", UserWarning)
            return torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(_refusal(path, error)) from None
    except UserWarning:
        raise WeightsError(f"{path} is a TorchScript program, not weights; give it as the model itself") from None
    except Exception as error:
        if not isinstance(error, DAMAGED) and type(error).__name__ != "SafetensorError":
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"{path} cannot be read as weights, it may be cut short or of another kind: {reason}; expected "
            "a state dict, as safetensors or torch.save write it"
        ) from error


def _refusal(path: Path, error: Exception) -> str:
    """Says what the pickle wanted to run, as far as torch tells."""
    named = [
        line.strip() for line in str(error).splitlines() if "GLOBAL" in line or "global" in line or "class" in line
    ]
    return (
        f"{path} was not opened: it is damaged, or a pickle that holds more than tensors, and opening it would run its "
        f"code ({named[0] if named else 'unknown content'}). Where you trust it, save its state dict alone: "
        "torch.save(model.state_dict(), FILE), or safetensors.torch.save_file"
    )


def _unwrapped(held: Any, path: Path) -> dict[str, Any]:
    seen: set[int] = set()  # a checkpoint may hold itself
    while isinstance(held, Mapping) and id(held) not in seen:
        seen.add(id(held))
        inner = next((held[key] for key in WRAPPERS if isinstance(held.get(key), Mapping)), None)
        if inner is None:
            break
        held = inner
    if not isinstance(held, Mapping) or not any(isinstance(value, Tensor) for value in held.values()):
        what = f"a dictionary of {list(held)[:5]}" if isinstance(held, Mapping) else f"a {type(held).__name__}"
        raise WeightsError(f"{path} holds {what}; expected a state dict (name -> tensor), or one under {WRAPPERS}")
    return {str(name): value for name, value in held.items()}


def _stripped(state: dict[str, Any], model: nn.Module) -> dict[str, Any]:
    own = list(model.state_dict())
    if not any("_orig_mod." in name for name in own):  # compiled parts leave it in the middle of names too
        state = {name.replace("_orig_mod.", ""): value for name, value in state.items()}
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in state) and not any(name.startswith(prefix) for name in own):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
        if all(name.startswith(prefix) for name in own) and not any(name.startswith(prefix) for name in state):
            state = {prefix + name: value for name, value in state.items()}  # a file of what the model wraps
    return state


def _check_fit(model: nn.Module, state: dict[str, Any], path: Path) -> None:
    own = {name: v for name, v in model.state_dict(keep_vars=True).items() if isinstance(v, Tensor)}
    shared = {id(own[name]) for name in own.keys() & state.keys()}
    missing = [
        n for n, v in own.items() if n not in state and id(v) not in shared and not n.endswith("num_batches_tracked")
    ]
    dropped = AUXILIARY if getattr(model, "aux_logits", None) is False else ()
    unexpected = [n for n, v in state.items() if n not in own and isinstance(v, Tensor) and not n.startswith(dropped)]
    wrong = [n for n, v in own.items() if n in state and _kind(state[n]) != _kind(v)]
    if missing or unexpected or wrong:
        shapes = [_differs(n, state, own) for n in wrong]
        raise WeightsError(
            f"{path} does not fit {type(model).__name__}: {_first('missing', missing)}, "
            f"{_first('unexpected', unexpected)}, {_first('of another shape or kind', shapes)} (the file holds "
            f"{len(state)} tensors, the model {len(own)}); check the architecture and its options"
        )
    named = dict(model.named_parameters())
    if bad := [n for n, v in state.items() if n in named and not _finite(v)]:
        raise WeightsError(
            f"{path} holds NaN or infinite weights in {len(bad)} tensors, the first is {bad[0]}; give an earlier checkpoint"
        )


def _kind(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, Tensor):
        return (type(value),)
    return value.shape, value.is_floating_point(), value.layout, value.is_meta


def _finite(value: Tensor) -> bool:
    wide = value.float() if value.element_size() == 1 else value  # torch looks into no float of 8 bits
    return bool(wide.isfinite().all())


def _differs(name: str, state: dict[str, Any], own: dict[str, Tensor]) -> str:
    held, wanted = state[name], own[name]
    if not isinstance(held, Tensor):
        got = f"a {type(held).__name__}"
    else:
        odd = " without data" if held.is_meta else "" if held.layout == torch.strided else f" {held.layout}"
        got = f"{held.dtype} {tuple(held.shape)}{odd}"
    return f"{name} ({got} for {wanted.dtype} {tuple(wanted.shape)})"


def _first(what: str, names: Sequence[str]) -> str:
    return f"{len(names)} {what}" + (f", the first is {names[0]}" if names else "")
