"""Running statistics of randomised batch norms: kept, reset, or re-estimated on a fixed batch.

Kept statistics are trained ones, so that something of the original is left; reset ones let activations vanish or explode
(semantics.md, 3.S1.3). Re-estimation works at the calls, so that modules, functionals and exported programs are alike.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..engine.interpose import Call, Interpose
from ..engine.model import call_model
from ..engine.twin import tensors
from ..errors import InputError, ModelError

POLICIES = ("reestimate", "keep", "reset")
CHUNK = 2**20
"""Values whose squares are held at once on a CPU: they stay in its cache, 7 times as fast as `torch.var` there."""
_MODULE_ORDER = ("input", "running_mean", "running_var")
_ATEN_ORDER = ("input", "weight", "bias", "running_mean", "running_var")
_OPS = frozenset({"batch_norm", "native_batch_norm_legit_no_training", "native_batch_norm", "cudnn_batch_norm"})


class Reestimate:
    """Observer that, before each batch norm in `owned`, writes the statistics of what comes in to its buffers."""

    def __init__(self, owned: dict[int, str]) -> None:
        self.owned = owned
        self.done: set[str] = set()

    def before(self, call: Call) -> None:
        if call.op not in _OPS:
            return
        x, mean, var = _statistics(call)
        if mean is None or var is None or id(mean) not in self.owned:
            return
        if self.owned[id(mean)] in self.done:  # a norm used twice keeps the statistics of its first use
            return
        if x.numel() // x.shape[1] < 2:
            raise InputError(
                f"batch_norm='reestimate' needs at least 2 values a channel and got {tuple(x.shape)} at {call}; give a "
                "larger calibration batch"
            )
        for buffer, now in zip((mean, var), moments(x), strict=True):
            buffer.copy_(now)
        self.done |= {self.owned[id(mean)], self.owned[id(var)]}

    def after(self, call: Call, out: Any) -> None:
        del call, out


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and unbiased variance of each channel. ``(N, C, ...) -> (C,)`` each, in float32 or wider."""
    dims = [d for d in range(x.dim()) if d != 1]
    wide = torch.promote_types(x.dtype, torch.float32)
    mean = x.mean(dims, keepdim=True, dtype=wide)
    images = max(1, CHUNK * x.shape[0] // x.numel()) if x.device.type == "cpu" else len(x)
    squares = sum((part.to(wide) - mean).square_().sum(dims) for part in torch.split(x, images))
    return mean.flatten(), torch.as_tensor(squares) / (x.numel() // x.shape[1] - 1)


@torch.no_grad()
def reestimate(stage: nn.Module, names: set[str], calibration: Tensor) -> Any:
    """Write the statistics of `calibration` to the named running buffers of a twin that owns them.

    Returns:
        What the twin says of `calibration`.

    Raises:
        ModelError: a batch norm that ran where heatproof cannot see it.
    """
    watch = Reestimate({id(t): n for n, t in tensors(stage).items() if n in names})
    with Interpose(observers=[watch]):
        out = call_model(stage, calibration.detach().clone())
    if left := sorted(names - watch.done):
        raise ModelError(
            f"batch_norm='reestimate' did not see {left[0]!r} (and {len(left) - 1} more) run; use batch_norm='keep' or "
            "'reset'"
        )
    return out


def reset_value(name: str, like: Tensor) -> Tensor:
    """What a fresh batch norm holds: mean 0, variance 1."""
    return torch.ones_like(like) if name.endswith("running_var") else torch.zeros_like(like)


def _statistics(call: Call) -> tuple[Tensor, Tensor | None, Tensor | None]:
    order = _MODULE_ORDER if call.function is torch.nn.functional.batch_norm else _ATEN_ORDER
    bound = {**dict(zip(order, call.args, strict=False)), **call.kwargs}
    return bound["input"], bound.get("running_mean"), bound.get("running_var")
