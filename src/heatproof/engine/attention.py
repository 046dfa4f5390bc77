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
    del dropout_p  # no dropout in evaluation mode
    if enable_gqa:
        key = key.repeat_interleave(query.size(-3) // key.size(-3), -3)
        value = value.repeat_interleave(query.size(-3) // value.size(-3), -3)
    logits = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.size(-1)) if scale is None else scale)
    return _masked(logits, attn_mask, is_causal).softmax(-1) @ value


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
) -> tuple[Tensor, Tensor | None]:
    """``torch.nn.functional.multi_head_attention_forward`` for ``(L, B, E)``, computed as ``(B, L, E)``."""
    del dropout_p, embed_dim_to_check, is_causal  # no dropout in evaluation mode; a causal mask comes as attn_mask too
    if bias_k is not None or bias_v is not None or add_zero_attn or static_k is not None or static_v is not None:
        raise EscapedOp("multi_head_attention_forward with bias_k, bias_v, add_zero_attn or static keys has no rule")
    if query.dim() != 3 or training:
        raise EscapedOp("multi_head_attention_forward has a rule for (L, B, E) in evaluation mode only")
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
    if attn_mask is not None:
        attn_mask = attn_mask.reshape(-1, num_heads, *attn_mask.shape[-2:]) if attn_mask.dim() == 3 else attn_mask
        logits = _masked(logits, _kept(attn_mask), False)
    if key_padding_mask is not None:
        logits = _masked(logits, _kept(key_padding_mask)[:, None, None], False)
    attention = logits.softmax(-1)
    out = linear((attention @ v).transpose(1, 2).flatten(2), out_proj_weight, out_proj_bias).transpose(0, 1)
    if not need_weights:
        return out, None
    return out, attention.mean(1) if average_attn_weights else attention


def _kept(mask: Tensor) -> Tensor:
    """A mask of `multi_head_attention_forward` (True = left out) as `scaled_dot_product_attention` has it (True = kept)."""
    return ~mask if mask.dtype == torch.bool else mask


def _masked(logits: Tensor, mask: Tensor | None, is_causal: bool) -> Tensor:
    if is_causal:
        mask = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).tril()
    if mask is None:
        return logits
    return logits.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else logits + mask


PLAIN: dict[str, Callable[..., Any]] = {
    "scaled_dot_product_attention": scaled_dot_product_attention,
    "multi_head_attention_forward": multi_head_attention_forward,
}
"""The plain form of each composite call, by `op_name`."""
