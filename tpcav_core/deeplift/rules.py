"""Rules of DeepLIFT: how a change of an operation's result is divided among its operands.

Each operation is seen with its operands at the target (``x``) and at the baseline (``b``). A rule
returns the result at the target, whose gradients are the multipliers:

- *rescale* (Shrikumar et al. 2017), for functions of one value: ``(f(x) − f(b)) / (x − b)``, and
  the derivative halfway where the two are too close to be told apart;
- *midpoint*, for products of two operands that both change: ``Δ(ab) = Δa·b̄ + Δb·ā`` with ``ā``
  the mean of an operand at target and baseline, which is Shapley's division between the two;
- *maxima*: see `maxima`.

Softmax, normalisation and attention are made of these. All of them are complete: the multipliers
times the changes of the operands sum to the change of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

#: results that differ by less than this share of their size, at operands that differ by less than
#: this, are too close to divide their differences; halfway the derivative is as good
CLOSE = 1e-3
#: types in which slopes are not taken: differences of near values would be little but rounding
_ROUGH = (torch.bfloat16, torch.float16)
#: a tensor at the target, which carries gradients where it depends on the layer, and the baseline
Pair = tuple[Tensor, Tensor]


class _Scaled(torch.autograd.Function):
    """``y`` whose gradient with respect to ``x`` is ``slope``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor, y: Tensor) -> Tensor:
        """Return ``y``."""
        ctx.save_for_backward(slope)
        ctx.kind = x.dtype
        return y.detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Return the gradient of ``x``."""
        return (gradients[0] * ctx.saved_tensors[0]).to(ctx.kind), None, None


class _Midpoint(torch.autograd.Function):
    """A product whose gradients are those at the operands' means."""

    @staticmethod
    def forward(ctx: Any, product: Any, a: Tensor, c: Tensor, *means: Tensor) -> Tensor:
        """Return the product of ``a`` and ``c``."""
        ctx.product = product
        ctx.save_for_backward(*means)
        result: Tensor = product(a, c)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Return the gradients of both operands."""
        needed = ctx.needs_input_grad[1:3]
        # The pass may have been in autocast, which gave operands of two types one; this is not.
        kind = gradients[0].dtype
        with torch.enable_grad():
            means = [
                mean.detach().to(kind).requires_grad_(want)
                for mean, want in zip(ctx.saved_tensors, needed, strict=True)
            ]
            result = ctx.product(*means)
            wanted = [mean for mean in means if mean.requires_grad]
            found = iter(torch.autograd.grad(result, wanted, gradients[0]))
        parts = (
            next(found).to(mean.dtype) if want else None
            for mean, want in zip(ctx.saved_tensors, needed, strict=True)
        )
        return None, *parts, None, None


def scaled(x: Tensor, slope: Tensor, y: Tensor) -> Tensor:
    """Return ``y`` with gradient ``slope`` with respect to ``x``."""
    found: Tensor = _Scaled.apply(x, slope, y)  # type: ignore[no-untyped-call]
    return found


def rescale(
    function: Callable[[Tensor], Tensor], x: Tensor, b: Tensor, kinked: bool = False
) -> Pair:
    """Return a function of one value at target and baseline.

    Args:
        function: of each value alone.
        x: operand at the target, any shape.
        b: at the baseline, of the same shape.
        kinked: whether it is linear but for kinks.
    """
    with torch.no_grad():
        at = x.detach()
        y, y_b = function(at), function(b)
        if not x.requires_grad:
            return y, y_b
        values = (at, b, y, y_b)
        if at.dtype in _ROUGH:
            at, low = at.float(), b.float()
            values = (at, low, function(at), function(low))
        slope = _slope(function, *values, kinked=kinked)
    return scaled(x, slope, y), y_b


def _slope(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    b: Tensor,
    y: Tensor,
    y_b: Tensor,
    *,
    kinked: bool,
) -> Tensor:
    change, step = y - y_b, x - b
    close = step == 0
    if not kinked:
        close |= (change.abs() <= CLOSE * (y.abs() + y_b.abs())) & (step.abs() <= CLOSE)
    slope = change / step
    if close.any():
        slope = torch.where(close, _derivative(function, x / 2 + b / 2), slope)
    return slope.nan_to_num(0.0, 0.0, 0.0)  # of masked values, -inf at both


def _derivative(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    with torch.enable_grad():
        at = at.detach().requires_grad_()
        (found,) = torch.autograd.grad(function(at).sum(), at)
    return found


def midpoint(product: Callable[[Tensor, Tensor], Tensor], left: Pair, right: Pair) -> Pair:
    """Return a product, of values or of matrices, at target and baseline.

    Args:
        product: linear in either operand.
        left: first operand at target and baseline.
        right: second operand at target and baseline.
    """
    with torch.no_grad():
        at_baseline = product(left[1], right[1])
        means = [x if x is b else (x.detach() + b) / 2 for x, b in (left, right)]
    result: Tensor = _Midpoint.apply(  # type: ignore[no-untyped-call]
        product, left[0], right[0], *means
    )
    return result, at_baseline


def multiply(left: Pair, right: Pair) -> Pair:
    """Return the product value by value."""
    return midpoint(torch.mul, left, right)


def softmax(pair: Pair, dim: int) -> Pair:
    """Return the softmax: exponentials rescaled, times the rescaled reciprocal of their sum."""
    highest = torch.maximum(pair[0].detach(), pair[1]).amax(dim, keepdim=True)
    exponential = rescale(torch.exp, pair[0] - highest, pair[1] - highest)
    total = rescale(torch.reciprocal, *each(exponential, lambda t: t.sum(dim, keepdim=True)))
    return multiply(exponential, total)


def log_softmax(pair: Pair, dim: int) -> Pair:
    """Return the logarithm of the softmax."""
    total = logsumexp(pair, dim)
    return pair[0] - total[0], pair[1] - total[1]


def logsumexp(pair: Pair, dim: int, keepdim: bool = True) -> Pair:
    """Return the logarithm of the sum of exponentials."""
    highest = torch.maximum(pair[0].detach(), pair[1]).amax(dim, keepdim=True)
    exponential = rescale(torch.exp, pair[0] - highest, pair[1] - highest)
    found = rescale(torch.log, *each(exponential, lambda t: t.sum(dim, keepdim=True)))
    found = found[0] + highest, found[1] + highest
    return found if keepdim else each(found, lambda t: t.squeeze(dim))


def normalise(pair: Pair, dims: tuple[int, ...], eps: float, centred: bool = True) -> Pair:
    """Return values over their root mean square, less their mean if ``centred``, over ``dims``."""
    if centred:
        pair = each(pair, lambda t: t - t.mean(dims, keepdim=True))
    squares = rescale(torch.square, *pair)
    variance = each(squares, lambda t: t.mean(dims, keepdim=True) + eps)
    return multiply(pair, rescale(torch.rsqrt, *variance))


def attention(
    query: Pair, key: Pair, value: Pair, mask: Tensor | None, scale: float
) -> tuple[Pair, Pair]:
    """Return dot-product attention and its weights.

    Args:
        query: (..., l, e).
        key: (..., s, e).
        value: (..., s, v).
        mask: added to the scores, (..., l, s), or bool, True where attended to; None: none.
        scale: factor of the scores.
    """
    scores = midpoint(torch.matmul, query, each(key, lambda t: t.transpose(-2, -1)))
    scores = each(scores, lambda t: t * scale)
    if mask is not None:
        added = mask
        if mask.dtype == torch.bool:
            added = torch.zeros_like(mask, dtype=scores[1].dtype).masked_fill(~mask, -torch.inf)
        scores = each(scores, lambda t: t + added)
    weights = softmax(scores, -1)
    return midpoint(torch.matmul, weights, value), weights


def each(pair: Pair, linear: Callable[[Tensor], Tensor]) -> Pair:
    """Apply a function that is linear, up to a constant, at target and baseline."""
    return linear(pair[0]), linear(pair[1])


def gated(pair: Pair, dim: int) -> Pair:
    """Return the gated linear unit: one half times the sigmoid of the other."""
    (left, gate), (left_b, gate_b) = (side.chunk(2, dim) for side in pair)
    return multiply((left, left_b), rescale(functional.sigmoid, gate, gate_b))
