"""The rule of DeepLIFT for maxima, that of captum's for max pooling in its formula.

Of the change of a maximum, what lies above the baseline's goes to the place of the maximum at the
target, what lies below the target's to the place of the maximum at the baseline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .rules import Pair, each, scaled


def maximum(x: Tensor, b: Tensor, y: Pair, where: Pair) -> Pair:
    """Return maxima over parts of the operand at target and baseline.

    Args:
        x: operand at the target, flattened where maxima are taken, (..., m).
        b: operand at the baseline.
        y: the maxima at both, (..., k).
        where: their places at both, (..., k) int64.
    """
    with torch.no_grad():
        at = x.detach()
        joint = torch.maximum(*y)
        steps = [at.gather(-1, index) - b.gather(-1, index) for index in where]
        parts = [
            torch.where(step == 0, torch.zeros_like(step), change / step)
            for change, step in zip((joint - y[1], y[0] - joint), steps, strict=True)
        ]
    result = y[0].detach()
    for slope, index in zip(parts, where, strict=True):
        taken = x.gather(-1, index)
        result = scaled(taken, slope, torch.zeros_like(taken)) + result
    return result, y[1]


def max_pool(x: Tensor, b: Tensor, pool: Callable[..., Any], spatial: int) -> Pair:
    """Return max pooling over the last ``spatial`` dimensions, see `maximum`.

    Args:
        x: operand at the target, (…, positions).
        b: operand at the baseline.
        pool: takes an operand and ``return_indices``.
        spatial: 1, 2 or 3.
    """
    with torch.no_grad():
        found = [pool(side.detach(), return_indices=True) for side in (x, b)]
    shape = found[0][0].shape
    (y, where), (y_b, where_b) = ([t.flatten(-spatial) for t in side] for side in found)
    flat, flat_b = x.flatten(-spatial), b.flatten(-spatial)
    result, at_baseline = maximum(flat, flat_b, (y, y_b), (where, where_b))
    return result.reshape(shape), at_baseline.reshape(shape)


def max_over(x: Tensor, b: Tensor, dim: int, keepdim: bool) -> Pair:
    """Return the maximum over one dimension, see `maximum`."""
    x, b = x.movedim(dim, -1), b.movedim(dim, -1)
    (y, where), (y_b, where_b) = (side.detach().max(-1, keepdim=True) for side in (x, b))
    found = maximum(x, b, (y, y_b), (where, where_b))
    return each(found, (lambda t: t.movedim(-1, dim)) if keepdim else (lambda t: t.squeeze(-1)))
