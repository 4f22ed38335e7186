"""The rule of DeepLIFT for PyTorch's own multi-head attention, made of those of its parts."""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .rules import Pair, attention, each

_SIGNATURE = inspect.signature(functional.multi_head_attention_forward)
#: options that change what is attended to in ways the rule does not follow
_OTHERS = ("bias_k", "bias_v", "add_zero_attn", "use_separate_proj_weight", "static_k", "static_v")


def multi_head_attention(args: Any, kwargs: Any, args_b: Any, kwargs_b: Any) -> Any:
    """Return what `torch.nn.functional.multi_head_attention_forward` returns; None without a rule.

    Args:
        args: of the call at the target.
        kwargs: of the call at the target.
        args_b: of the call at the baseline.
        kwargs_b: of the call at the baseline.
    """
    call = _SIGNATURE.bind(*args, **kwargs)
    call.apply_defaults()
    at = call.arguments
    baseline = _SIGNATURE.bind(*args_b, **kwargs_b).arguments
    dropped = at["training"] and at["dropout_p"]
    if at["query"].ndim != 3 or dropped or any(_given(at[name]) for name in _OTHERS):
        return None
    weights = at["in_proj_weight"].chunk(3)
    biases = (None,) * 3 if at["in_proj_bias"] is None else at["in_proj_bias"].chunk(3)
    heads = at["num_heads"]
    length, n, width = at["query"].shape

    def split(t: Tensor) -> Tensor:
        """Return (n, heads, positions, width of a head) of (positions, n, width)."""
        return t.reshape(*t.shape[:2], heads, -1).permute(1, 2, 0, 3)

    def project(name: str, part: int) -> Pair:
        weight, bias = weights[part], biases[part]
        sides = (at[name], baseline[name])
        return each(sides, lambda t: split(functional.linear(t, weight, bias)))

    query, key, value = (project(name, i) for i, name in enumerate(("query", "key", "value")))
    mask = _mask(at, n, heads)
    found, attended = attention(query, key, value, mask, 1 / math.sqrt(width // heads))
    joined = found[0].permute(2, 0, 1, 3).reshape(length, n, width)
    output = functional.linear(joined, at["out_proj_weight"], at["out_proj_bias"])
    if not at["need_weights"]:
        return output, None
    return output, attended[0].mean(dim=1) if at["average_attn_weights"] else attended[0]


def _given(option: Any) -> bool:
    return option is not None and option is not False


def _mask(at: dict[str, Any], n: int, heads: int) -> Tensor | None:
    """Return what is added to the scores, to be broadcast to (n, heads, length, positions)."""
    total: Tensor | None = None
    padding, attended = at["key_padding_mask"], at["attn_mask"]
    if padding is not None:
        total = _added(padding, at["query"])[:, None, None]
    if attended is not None:
        attended = _added(attended, at["query"])
        if attended.ndim == 3:
            attended = attended.reshape(n, heads, *attended.shape[1:])
        total = attended if total is None else total + attended
    return total


def _added(mask: Tensor, like: Tensor) -> Tensor:
    """Return a mask that is added; in a bool one, True is what is left out."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill(mask, -torch.inf)
