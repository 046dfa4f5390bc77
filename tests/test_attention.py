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
    "padding and a mask": ({}, {"key_padding_mask": PADDED, "attn_mask": ~LOWER}),
    "padding and an added mask": (
        {},
        {
            "key_padding_mask": torch.zeros(2, 5).double().masked_fill(PADDED, float("-inf")),
            "attn_mask": drawn(5, 5, seed=3),
        },
    ),
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


@pytest.mark.parametrize("options", [{"add_bias_kv": True}, {"add_zero_attn": True}])
def test_rare_forms_are_one_call(options: dict[str, bool]) -> None:
    """Exact for full gradients as they are, refused by name where a rule is needed."""
    attend = nn.MultiheadAttention(8, 2, batch_first=True, **options)
    net = nn.Sequential(nn.Unflatten(1, (5, 8)), Itself(attend), nn.Flatten(), nn.Linear(40, 3)).double().eval()
    x, target = drawn(2, 40), torch.tensor([0, 2])
    d = hp.full_gradient(net, x, target)
    total = d.input_term.sum(1) + sum(t.value.reshape(2, -1).sum(1) for t in d.terms)
    torch.testing.assert_close(total, net(x).gather(1, target[:, None])[:, 0], rtol=1e-10, atol=1e-12)
    for explain in (hp.lrp, hp.deeplift):
        with pytest.raises(hp.EscapedOp, match="has no rule for"):
            explain(net, x, target)


class Itself(nn.Module):
    def __init__(self, attend: nn.Module) -> None:
        super().__init__()
        self.attend = attend

    def forward(self, x: Tensor) -> Tensor:
        return self.attend(x, x, x)[0]


def test_a_query_without_a_key() -> None:
    """All of its keys are masked: PyTorch gives zeros there, and so must the plain form, gradients included."""
    mask = LOWER.clone()
    mask[2] = False
    for given in (mask, torch.zeros(5, 5).double().masked_fill(~mask, float("-inf"))):
        q, k, v = (drawn(2, 3, 5, 4, seed=s).requires_grad_() for s in range(3))
        ours = attention.scaled_dot_product_attention(q, k, v, attn_mask=given)
        want = F.scaled_dot_product_attention(q, k, v, attn_mask=given)
        torch.testing.assert_close(ours, want, rtol=1e-12, atol=1e-14)
        grads = torch.autograd.grad(ours.square().sum(), [q, k, v])
        assert all(g.isfinite().all() for g in grads)
        assert not grads[0][:, :, 2].any()


def test_dropout_in_evaluation_mode_is_refused() -> None:
    q = drawn(1, 1, 5, 4).requires_grad_()
    with pytest.raises(hp.EscapedOp, match=r"dropout_p=0\.5"), Interpose([], [], plain_attention=True):
        F.scaled_dot_product_attention(q, q, q, dropout_p=0.5)
