"""Whether a device computes in bfloat16 by itself."""

from __future__ import annotations

import torch


def has_bf16(device: str | torch.device) -> bool:
    """Whether the device has bfloat16 in hardware: AVX512-BF16 or AMX on a CPU; never decided by timing.

    So the same machine always gives the same network. False for a CPU that torch cannot ask, and for other devices.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return kind == "cpu" and any(_cpu_has(name) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))


def _cpu_has(name: str) -> bool:
    """A capability by torch's private name for it, which older versions lack. oneDNN alone would also say yes where it
    emulates."""
    ask = getattr(torch.cpu, name, None)
    return ask is not None and bool(ask())
