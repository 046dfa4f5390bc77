"""Tensors as hashes of their values."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn

from ..engine.twin import tensors


def tensor_hash(*stack: Tensor) -> str:
    """SHA-256 of the values, shapes and dtypes."""
    digest = hashlib.sha256()
    for tensor in stack:
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{plain.dtype}{tuple(plain.shape)}".encode())
        flat = plain.flatten().as_strided(
            (plain.numel(),), (1,)
        )  # one number may have any stride, which `view` refuses
        digest.update(flat.view(torch.uint8).numpy().tobytes() if plain.numel() else b"")
    return digest.hexdigest()


def weights_hash(model: nn.Module) -> str:
    """SHA-256 over all parameters and buffers, with their names."""
    digest = hashlib.sha256()
    for name, tensor in tensors(model).items():
        digest.update(name.encode())
        digest.update(tensor_hash(tensor).encode())
    return digest.hexdigest()
