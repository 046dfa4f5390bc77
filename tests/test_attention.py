"""Attention written as plain operations is PyTorch's own, for every kind of mask and projection."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import heatproof as hp
from heatproof.engine import attention
from heatproof.engine.interpose import Interpose


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


LOWER = torch.ones(5, 5, dtype=torch.bool).tril()
PADDED = torch.tensor([[False] * 5, [False, False, False, True, True]])

SDPA: dict[str, dict[str, Any]] = {
    "plain": {},
    "boolean mask": {"attn_mask": LOWER},
    "added mask": {"attn_mask": drawn(5, 5, seed=3)},
    "causal": {"is_causal": True},
    "scale": {"scale": 0.7},
}

MHA: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "batch first": ({"batch_first": True}, {}),
    "no bias": ({"bias": False}, {}),
    "other key and value sizes": ({"kdim": 6, "vdim": 10}, {}),
    "boolean mask": ({}, {"attn_mask": ~LOWER}),
    "added mask": ({}, {"attn_mask": drawn(5, 5, seed=3)}),
    "mask for each head": ({}, {"attn_mask": drawn(4, 5, 5, seed=3)}),
    "padding": ({}, {"key_padding_mask": PADDED}),
    "weights of each head": ({}, {"average_attn_weights": False}),
    "no weights": ({}, {"need_weights": False}),
}


@pytest.mark.parametrize("name", SDPA)
def test_scaled_dot_product_attention(name: str) -> None:
    q, k, v = (drawn(2, 3, 5, 4, seed=s) for s in range(3))
    want = F.scaled_dot_product_attention(q, k, v, **SDPA[name])
    torch.testing.assert_close(
        attention.scaled_dot_product_attention(q, k, v, **SDPA[name]), want, rtol=1e-12, atol=1e-14
    )


def test_grouped_queries() -> None:
    q, k, v = drawn(2, 4, 5, 4), drawn(2, 2, 5, 4, seed=1), drawn(2, 2, 5, 4, seed=2)
    want = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    ours = attention.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    torch.testing.assert_close(ours, want, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", MHA)
@pytest.mark.parametrize("itself", [True, False])
def test_multi_head_attention(name: str, itself: bool) -> None:
    options, call = MHA[name]
    if itself and "kdim" in options:
        options = {}
    layer = nn.MultiheadAttention(8, 2, **options).double().eval()
    for i, p in enumerate(layer.parameters()):
        p.data = drawn(*p.shape, seed=10 + i)
        p.requires_grad_(False)
    sizes = (8, options.get("kdim", 8), options.get("vdim", 8))
    q, k, v = (drawn(5, 2, size, seed=s).requires_grad_() for s, size in enumerate(sizes))
    if options.get("batch_first"):
        q, k, v = (x.detach().transpose(0, 1).requires_grad_() for x in (q, k, v))
    k, v = (q, q) if itself else (k, v)
    want, weights = layer(q, k, v, **call)
    seen: list[str] = []

    class Watch:
        def before(self, call: Any) -> None:
            seen.append(call.op)

        def after(self, call: Any, out: Any) -> None: ...

    with Interpose([], [Watch()], plain_attention=True):
        ours, our_weights = layer(q, k, v, **call)
    torch.testing.assert_close(ours, want, rtol=1e-12, atol=1e-13)
    assert (weights is None) == (our_weights is None)
    if weights is not None:
        torch.testing.assert_close(our_weights, weights, rtol=1e-12, atol=1e-13)
    assert {"softmax", "matmul", "linear"} <= set(seen)
    assert "multi_head_attention_forward" not in seen


def test_what_has_no_rule_is_refused() -> None:
    for options in ({"add_bias_kv": True}, {"add_zero_attn": True}):
        layer = nn.MultiheadAttention(8, 2, **options).double().eval()
        x = drawn(5, 2, 8).requires_grad_()
        with pytest.raises(hp.EscapedOp, match="bias_k"), Interpose([], [], plain_attention=True):
            layer(x, x, x)
