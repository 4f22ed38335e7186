"""Handlers of softmax, normalisation, gating and attention, see `operations`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from . import rules
from .calls import NO_RULE, Call, one_dimension, option, pair
from .multihead import multi_head_attention
from .rules import Pair


def over_dimension(rule: Callable[..., Pair]) -> Any:
    """Return the handler of a rule that takes a pair and a dimension."""

    def handler(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
        dim = option(args, kwargs, 1, "dim", None)
        if not isinstance(dim, int):
            return NO_RULE
        x, b = pair(args, kwargs, call)
        kind = kwargs.get("dtype") or x.dtype
        return rule((x.to(kind), b.to(kind)), dim)[0]

    return handler


def logsumexp(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    """Handle the logarithm of a sum of exponentials."""
    dim, keepdim = one_dimension(args, kwargs)
    if dim is None:
        return NO_RULE
    return rules.logsumexp(pair(args, kwargs, call), dim, keepdim)[0]


def layer_norm(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    """Handle layer normalisation."""
    shape = option(args, kwargs, 1, "normalized_shape", None)
    weight, bias = weight_and_bias(args, kwargs, 2)
    dims = tuple(range(-len(shape), 0))
    eps = option(args, kwargs, 4, "eps", 1e-5)
    return affine(rules.normalise(pair(args, kwargs, call), dims, eps)[0], weight, bias)


def rms_norm(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    """Handle normalisation by the root mean square."""
    shape = option(args, kwargs, 1, "normalized_shape", None)
    eps = option(args, kwargs, 3, "eps", None)
    x, b = pair(args, kwargs, call)
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    dims = tuple(range(-len(shape), 0))
    found = rules.normalise((x, b), dims, eps, centred=False)[0]
    return affine(found, option(args, kwargs, 2, "weight", None), None)


def group_norm(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    """Handle group normalisation."""
    groups = option(args, kwargs, 1, "num_groups", None)
    weight, bias = weight_and_bias(args, kwargs, 2)
    eps = option(args, kwargs, 4, "eps", 1e-5)
    return in_groups(pair(args, kwargs, call), groups, weight, bias, eps)


def instance_norm(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    """Handle instance normalisation; with running statistics it is linear."""
    if not option(args, kwargs, 5, "use_input_stats", True):
        return function(*args, **kwargs)
    x, b = pair(args, kwargs, call)
    weight, bias = weight_and_bias(args, kwargs, 3)
    return in_groups((x, b), x.shape[1], weight, bias, option(args, kwargs, 7, "eps", 1e-5))


def in_groups(sides: Pair, groups: int, weight: Any, bias: Any, eps: float) -> Tensor:
    """Return channels (n, c, …) normalised in groups of them."""
    shape = sides[0].shape
    grouped = rules.each(sides, lambda t: t.reshape(len(t), groups, -1))
    found = rules.normalise(grouped, (-1,), eps)[0].reshape(shape)
    by_channel = (-1, *(1 for _ in shape[2:]))
    return affine(found, *(None if t is None else t.reshape(by_channel) for t in (weight, bias)))


def weight_and_bias(args: Any, kwargs: Any, place: int) -> tuple[Tensor | None, Tensor | None]:
    """Return both, the weight's place among the arguments being known."""
    weight = option(args, kwargs, place, "weight", None)
    return weight, option(args, kwargs, place + 1, "bias", None)


def affine(value: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """Return values times a weight plus a bias, where there are any."""
    value = value if weight is None else value * weight
    return value if bias is None else value + bias


def dot_product(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    """Handle dot-product attention."""
    query, key, value = (
        (option(args, kwargs, i, name, None), option(call.args, call.kwargs, i, name, None))
        for i, name in enumerate(("query", "key", "value"))
    )
    if kwargs.get("enable_gqa") or option(args, kwargs, 4, "dropout_p", 0.0):
        return NO_RULE
    mask = option(args, kwargs, 3, "attn_mask", None)
    if option(args, kwargs, 5, "is_causal", False):
        size = query[0].shape[-2], key[0].shape[-2]
        mask = torch.ones(size, dtype=torch.bool, device=query[0].device).tril()
    scale = kwargs.get("scale") or 1 / math.sqrt(query[0].shape[-1])
    return rules.attention(query, key, value, mask, scale)[0][0]


def multi_head(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    """Handle PyTorch's own multi-head attention."""
    found = multi_head_attention(args, kwargs, call.args, call.kwargs)
    return NO_RULE if found is None else found


def gated_unit(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    """Handle the gated linear unit."""
    return rules.gated(pair(args, kwargs, call), option(args, kwargs, 1, "dim", -1))[0]
