"""Attention written as plain operations, for passes whose rules, residuals and taps must see each of them.

``F.scaled_dot_product_attention`` and ``F.multi_head_attention_forward`` reach a ``TorchFunctionMode`` as one call with a
softmax and products hidden inside. Both are written out here with the batch first, and run under the same mode again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from ..errors import EscapedOp


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(q k^T scale + mask) v. ``(..., L, E), (..., S, E), (..., S, Ev) -> (..., L, Ev)``."""
    if dropout_p:
        raise EscapedOp(
            f"scaled_dot_product_attention(dropout_p={dropout_p}) drops in evaluation mode too, so that no two maps are "
            "alike; call it with dropout_p=self.p if self.training else 0.0"
        )
    if enable_gqa:
        key = key.repeat_interleave(query.size(-3) // key.size(-3), -3)
        value = value.repeat_interleave(query.size(-3) // value.size(-3), -3)
    logits = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.size(-1)) if scale is None else scale)
    return _softmax(logits, attn_mask, is_causal) @ value


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Any:
    """``torch.nn.functional.multi_head_attention_forward`` for ``(L, B, E)``, computed as ``(B, L, E)``."""
    del dropout_p, embed_dim_to_check, is_causal  # no dropout in evaluation mode; a causal mask comes as attn_mask too
    extra = bias_k is not None or bias_v is not None or static_k is not None or static_v is not None
    if extra or add_zero_attn or query.dim() != 3 or training:
        return NotImplemented  # the call as a whole: exact for full gradients, refused by the guard of LRP and DeepLIFT
    same = query is key and key is value
    query, key, value = query.transpose(0, 1), key.transpose(0, 1), value.transpose(0, 1)
    if use_separate_proj_weight or not same:
        weights = (
            (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else in_proj_weight.chunk(3)  # type: ignore[union-attr]
        )
        biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
        q, k, v = (linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))
    else:
        q, k, v = linear(query, in_proj_weight, in_proj_bias).chunk(3, -1)  # type: ignore[arg-type]
    q, k, v = (x.reshape(*x.shape[:2], num_heads, -1).transpose(1, 2) for x in (q, k, v))  # (B, heads, L, E / heads)
    logits = q @ k.transpose(-2, -1) * (1 / math.sqrt(q.size(-1)))
    mask = None
    if attn_mask is not None:
        mask = _kept(attn_mask.reshape(-1, num_heads, *attn_mask.shape[-2:]) if attn_mask.dim() == 3 else attn_mask)
    if key_padding_mask is not None:
        mask = _both(mask, _kept(key_padding_mask)[:, None, None])
    attention = _softmax(logits, mask, False)
    out = linear((attention @ v).transpose(1, 2).flatten(2), out_proj_weight, out_proj_bias).transpose(0, 1)
    if not need_weights:
        return out, None
    return out, attention.mean(1) if average_attn_weights else attention


def _kept(mask: Tensor) -> Tensor:
    """A mask of `multi_head_attention_forward` (True = left out) as `scaled_dot_product_attention` has it (True = kept)."""
    return ~mask if mask.dtype == torch.bool else mask


def _both(mask: Tensor | None, other: Tensor) -> Tensor:
    """Two masks as one: booleans keep what both keep, numbers are added."""
    if mask is None:
        return other
    if mask.dtype == other.dtype == torch.bool:
        return mask & other
    return _added(mask) + _added(other)


def _added(mask: Tensor) -> Tensor:
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, float("-inf"))


def _softmax(logits: Tensor, mask: Tensor | None, is_causal: bool) -> Tensor:
    """Attention's weights; a query that no key is left for has weights of zero, as PyTorch's own."""
    if is_causal:
        mask = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).tril()
    if mask is None:
        return logits.softmax(-1)
    lone = ~mask.any(-1, keepdim=True) if mask.dtype == torch.bool else mask.isneginf().all(-1, keepdim=True)
    logits = logits.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else logits + mask.to(logits.dtype)
    if not lone.any():
        return logits.softmax(-1)
    return logits.masked_fill(lone, 0.0).softmax(-1).masked_fill(lone, 0.0)


PLAIN: dict[str, Callable[..., Any]] = {
    "scaled_dot_product_attention": scaled_dot_product_attention,
    "multi_head_attention_forward": multi_head_attention_forward,
}
"""The plain form of each composite call, by `op_name`."""
