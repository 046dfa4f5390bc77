"""What a result depends on, as hashes: weights, pixels, code. A job whose dependencies differ has another key."""

from __future__ import annotations

import hashlib
import platform
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from .._version import __version__
from ..checks.memory import memory_of
from ..checks.subject import Subject
from ..data.streamed import image_digests
from ..types import Explain, Spec, spec_of
from .dependencies import Dependencies
from .digests import tensor_hash as tensor_hash
from .digests import weights_hash as weights_hash


def images_hash(subject: Subject, places: Sequence[int] | None = None) -> str:
    """SHA-256 of the images, all or those at some places; pixels are read once for a whole plan."""
    known = memory_of(subject)
    known.digests = known.digests or image_digests(subject.images)
    chosen = known.digests if places is None else [known.digests[i] for i in places]
    return hashlib.sha256("\n".join(chosen).encode()).hexdigest()


def model_fingerprint(model: nn.Module) -> str:
    """Hash of the architecture: module classes with their settings and all their code, or the graph.

    What a model keeps in lists, dicts and tensors outside itself may change as it runs (caches), and does not count.
    """
    parts = [part for path, module in model.named_modules() for part in _module(path, module)]
    return Dependencies(*parts, contents=False).hash()


def _module(path: str, module: nn.Module) -> tuple[Any, ...]:
    about = (path, type(module).__qualname__, module.extra_repr())
    if isinstance(module, torch.jit.ScriptModule):
        return (*about, getattr(module, "code", None))
    if isinstance(module, torch.fx.GraphModule):
        return (*about, str(module.graph), *[n.target for n in module.graph.nodes if n.op == "call_function"])
    return (*about, type(module))


def method_identity(explain: Explain) -> str | None:
    """What identifies a method's result: its code and its `Spec`; None where it cannot be had, so that it is never
    resumed."""
    return _identity(explain, vars(spec_of(explain) or Spec()))


def function_identity(function: Any) -> str | None:
    """Hash of a function's code and of all that it reads; None where that is not all in its text: objects with
    attributes, such as what a method is bound to, and data of other modules."""
    return _identity(function)


def _identity(*values: Any) -> str | None:
    found = Dependencies(*values)
    return found.hash() if found.complete else None


def nonce() -> str:
    return uuid.uuid4().hex


def versions() -> dict[str, str]:
    return {
        "heatproof": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
