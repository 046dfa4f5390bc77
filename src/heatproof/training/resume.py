"""The state of a training on disk after every epoch, so that an interrupted one goes on to the same last bit."""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..data.files import DAMAGED
from ..engine.chunks import generator
from ..errors import RunError
from ..models.saved import write_whole
from ..models.weights import state_sha256
from . import noise
from .loop import Augment, Epoch, Run
from .options import Options

KIND = "heatproof training 1"
State = dict[str, Any]


def identity(options: Options, model: nn.Module, pixels: Tensor, targets: Tensor, augment: Augment | None) -> State:
    """What a training follows from, to compare: options as they are, everything else as a hash."""
    found: State = {
        "the network": f"{type(model).__name__} {_text_hash([re.sub(' at 0x[0-9a-f]+', '', repr(model))])}",
        "its trained parameters": _text_hash([name for name, p in model.named_parameters() if p.requires_grad]),
        "its first weights": state_sha256(model)[:12],
        "pixels": _tensor_hash(pixels),
        "targets": _tensor_hash(targets),
    }
    if augment is not None:  # judged by what it does to the first images
        found["augment"] = _tensor_hash(augment(pixels[:4].clone(), generator("augment")))
    return asdict(options) | {"augment": None} | found


def read(path: Path, expected: State) -> State | None:
    """The state that a training of this identity has left; None where there is no file.

    Raises:
        RunError: the file is of another training, of another tool, or damaged.
    """
    if not path.exists():
        return None
    try:
        held: Any = torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGED as error:
        reason = (
            str(error) if isinstance(error, OSError) else "it is damaged, of another tool, or holds code (never run)"
        )
        raise RunError(
            f"train(checkpoint={str(path)!r}): the file cannot be read ({reason}); delete {path} to train from the start, "
            "or name another file"
        ) from error
    if not isinstance(held, dict) or held.get("kind") != KIND:
        raise RunError(f"train(checkpoint={str(path)!r}): this file is no state of a training; name another file")
    _check_same(path, held["identity"], expected, len(held["history"]))
    return held


def restore(run: Run, state: State) -> None:
    """Put a state back, in place; within `noise.random_state`."""
    with torch.no_grad():
        for name, tensor in _tensors(run.model).items():
            tensor.copy_(state["model"][name])
    run.optimizer.load_state_dict(state["optimizer"])
    run.rates.load_state_dict(state["rates"])
    run.generator.set_state(state["generator"])
    noise.write_state(state["noise"], torch.device(run.options.device))
    run.history[:] = [Epoch(*line) for line in state["history"]]
    run.seconds = state["seconds"]


def save(path: Path, run: Run, found: State) -> None:
    """Write the state of a training; an interrupted write leaves the file of the epoch before."""
    state = {
        "kind": KIND,
        "identity": found,
        "model": {name: tensor.detach() for name, tensor in _tensors(run.model).items()},
        "optimizer": run.optimizer.state_dict(),
        "rates": run.rates.state_dict(),
        "generator": run.generator.get_state(),
        "noise": noise.read_state(torch.device(run.options.device)),
        "history": [astuple(epoch) for epoch in run.history],
        "seconds": run.seconds,
    }
    content = io.BytesIO()
    torch.save(state, content)
    write_whole(path, lambda temporary: temporary.write_bytes(content.getbuffer()))


def _check_same(path: Path, held: State, expected: State, passes: int) -> None:
    differing = [name for name in expected if held.get(name) != expected[name]]
    if expected["schedule"] is None and expected["epochs"] >= passes:  # at a constant rate they are a limit only
        differing = [name for name in differing if name != "epochs"]
    if "pixels" in differing:  # then so does what the augmentation makes of them
        differing = [name for name in differing if name != "augment"]
    if differing:
        said = ", ".join(f"{name} ({held.get(name)!r} there, {expected[name]!r} here)" for name in differing)
        raise RunError(
            f"train(checkpoint={str(path)!r}): the file is of another training: {said}. Repeat the call it came from, with "
            f"a network built anew under the same seed, or name another file, or delete {path}"
        )


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, those too that no state dict holds."""
    return dict(model.named_parameters()) | dict(model.named_buffers())


def _text_hash(names: list[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]


def _tensor_hash(values: Tensor) -> str:
    """Of type, shape and bytes, a part at a time."""
    digest = hashlib.sha256(f"{values.dtype} {tuple(values.shape)}".encode())
    for part in torch.split(values.detach(), 4096):
        digest.update(part.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:12]
