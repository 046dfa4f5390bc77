"""What a result depends on, as hashes: weights, pixels, code. A job whose dependencies differ has another key."""

from __future__ import annotations

import hashlib
import inspect
import platform
import uuid
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._version import __version__
from ..combine import Composed
from ..engine.twin import tensors
from ..types import Explain


def tensor_hash(*stack: Tensor) -> str:
    """SHA-256 of the values, shapes and dtypes."""
    digest = hashlib.sha256()
    for tensor in stack:
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{plain.dtype}{tuple(plain.shape)}".encode())
        digest.update(plain.flatten().view(torch.uint8).numpy().tobytes() if plain.numel() else b"")
    return digest.hexdigest()


def weights_hash(model: nn.Module) -> str:
    """SHA-256 over all parameters and buffers, with their names."""
    digest = hashlib.sha256()
    for name, tensor in tensors(model).items():
        digest.update(name.encode())
        digest.update(tensor_hash(tensor).encode())
    return digest.hexdigest()


def model_fingerprint(model: nn.Module) -> str:
    """Hash of the architecture: module classes with their settings and the source of their forward, or the graph."""
    digest = hashlib.sha256()
    graph = getattr(model, "graph", None)
    if isinstance(model, torch.fx.GraphModule):
        digest.update(str(graph).encode())
    for path, module in model.named_modules():
        digest.update(f"{path}:{type(module).__qualname__}:{module.extra_repr()}".encode())
        code = getattr(module, "code", None) if isinstance(module, torch.jit.ScriptModule) else None
        digest.update((code or source_of(getattr(type(module), "forward", None))).encode())
    return digest.hexdigest()


def method_identity(explain: Explain) -> str | None:
    """What identifies a method's result: text and source; None where neither can be had, so that it is never resumed."""
    if isinstance(explain, Composed):
        parts = [method_identity(part) for part in explain.parts]
        return None if None in parts else f"{explain!r}({parts})"
    return function_identity(explain)


def function_identity(function: Any) -> str | None:
    """Hash of a function's text and defaults; None for one whose behaviour is not all in its text: bound to an object,
    closing over values, or reading globals of its module that are no modules, classes or functions."""
    code = getattr(function, "__code__", None)
    if code is None or getattr(function, "__closure__", None) or getattr(function, "__self__", None) is not None:
        return None
    globals_read = [function.__globals__[n] for n in code.co_names if n in function.__globals__]
    if any(not (inspect.ismodule(g) or inspect.isclass(g) or callable(g)) for g in globals_read) and not _ours(
        function
    ):
        return None
    name = f"{function.__module__}.{function.__qualname__}"
    defaults = _plain([function.__defaults__, function.__kwdefaults__])
    return hashlib.sha256(f"{name}:{source_of(function)}:{_plain(code)}:{defaults}".encode()).hexdigest()


def _plain(value: Any) -> str:
    """A value as text that is the same in every process: no addresses, no order of sets."""
    if inspect.iscode(value):
        return f"{value.co_code.hex()}{_plain(value.co_consts)}{value.co_names}"
    if isinstance(value, dict):
        return f"{{{', '.join(sorted(f'{k}: {_plain(v)}' for k, v in value.items()))}}}"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(_plain, value)))}}}"
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(_plain, value))})"
    if callable(value):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', repr(type(value)))}"
    return repr(value)


def _ours(function: Any) -> bool:
    """Functions of this package depend on its version, which is in every key."""
    return str(function.__module__).startswith("heatproof.")


def source_of(function: Any) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return ""


def nonce() -> str:
    return uuid.uuid4().hex


def versions() -> dict[str, str]:
    return {
        "heatproof": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
