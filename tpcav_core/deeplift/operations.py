"""Which rule of DeepLIFT each PyTorch operation takes, by the name of its function.

Names serve all forms of an operation: the function, the method, the operator and the module.
A handler gets the function, its arguments at the target, and the same call at the baseline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from . import maxima, normalisation, rules
from .calls import (
    NO_RULE,
    Call,
    cloned,
    depends,
    is_in_place,
    one_dimension,
    operand,
    option,
    pair,
    tensors,
    two_operands,
)
from .rules import Pair

Handler = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any], Call], Any]


def _values(kinked: bool) -> Handler:
    def handler(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
        x, b = pair(args, kwargs, call)
        others = operand(args, kwargs)[1]
        options = {key: value for key, value in kwargs.items() if key not in ("input", "inplace")}
        if depends(others, options):
            return NO_RULE
        clone = is_in_place(call.name, kwargs)

        def apply(t: Tensor) -> Tensor:
            result: Tensor = function(t.clone() if clone else t, *others, **options)
            return result

        return rules.rescale(apply, x, b, kinked)[0]

    return handler


def _product(operation: Callable[[Tensor, Tensor], Tensor]) -> Handler:
    def handler(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
        pairs = _two(args, kwargs, call)
        if pairs is None:  # linear: the other operand is the same at target and baseline
            return _plain(function, args, kwargs)
        return rules.midpoint(operation, *pairs)[0]

    return handler


def _plain(function: Any, args: Any, kwargs: Any) -> Any:
    """Return the call as it is, not in place."""
    if is_in_place(getattr(function, "__name__", ""), kwargs):
        args, kwargs = cloned(args, kwargs)
    return function(*args, **kwargs)


def _two(args: Any, kwargs: Any, call: Call) -> tuple[Pair, Pair] | None:
    """Return both operands at target and baseline; None if one of them does not change."""
    mine, other = two_operands(args, kwargs), two_operands(call.args, call.kwargs)
    if not all(isinstance(x, Tensor) for x in mine) or any(
        x is b for x, b in zip(mine, other, strict=True)
    ):
        return None
    return (mine[0], other[0]), (mine[1], other[1])


def _quotient(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    if kwargs.get("rounding_mode"):
        return NO_RULE
    above, below = two_operands(args, kwargs)
    above_b, below_b = two_operands(call.args, call.kwargs)
    if call.name in ("__rdiv__", "__rtruediv__"):
        above, below, above_b, below_b = below, above, below_b, above_b
    if not isinstance(below, Tensor) or below is below_b:
        return _plain(function, args, kwargs)
    inverse = rules.rescale(torch.reciprocal, below, below_b)
    if not isinstance(above, Tensor) or above is above_b:
        return above * inverse[0]
    return rules.multiply((above, above_b), inverse)[0]


def _einsum(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    mine, other = (
        list(a[1]) if isinstance(a[1], (tuple, list)) else list(a[1:]) for a in (args, call.args)
    )
    changed = [i for i, (x, b) in enumerate(zip(mine, other, strict=True)) if x is not b]
    if len(changed) < 2:
        return function(*args, **kwargs)
    if len(mine) > 2:
        return NO_RULE
    left, right = zip(mine, other, strict=True)
    return rules.midpoint(lambda a, c: torch.einsum(args[0], a, c), left, right)[0]


def _bilinear(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    weight = option(args, kwargs, 2, "weight", None)
    bias = option(args, kwargs, 3, "bias", None)
    pairs = _two(args, kwargs, call)
    if pairs is None:
        return function(*args, **kwargs)
    found = rules.midpoint(lambda a, c: functional.bilinear(a, c, weight), *pairs)[0]
    return found if bias is None else found + bias


def _max_pool(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    if kwargs.get("return_indices"):
        return NO_RULE
    x, b = pair(args, kwargs, call)
    others = operand(args, kwargs)[1]
    pool = getattr(functional, call.name)
    options = {key: v for key, v in kwargs.items() if key not in ("input", "return_indices")}
    return maxima.max_pool(
        x,
        b,
        lambda t, return_indices: pool(t, *others, return_indices=True, **options),
        int(call.name[-2]),
    )[0]


def _maximum(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    dim, keepdim = one_dimension(args, kwargs)
    if dim is None:
        return NO_RULE
    found = maxima.max_over(*pair(args, kwargs, call), dim, keepdim)[0]
    if call.name == "amax":
        return found
    places = operand(args, kwargs)[0].detach().max(dim, keepdim).indices
    return torch.return_types.max((found, places))


def _none(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    return NO_RULE


def _linear_at_most(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    mine, other = (
        tensors((*a, *k.values())) for a, k in ((args, kwargs), (call.args, call.kwargs))
    )
    same = (
        x is b or (not x.requires_grad and torch.equal(x, b))
        for x, b in zip(mine, other, strict=True)
    )
    return NO_RULE if len(mine) - sum(same) > 1 else function(*args, **kwargs)


def _names(text: str) -> list[str]:
    return text.split()


def _with_in_place(text: str) -> list[str]:
    """Return names, and those of the forms that overwrite their operand."""
    names = _names(text)
    forms = (f"{name}_" for name in names)
    return names + [form for form in forms if hasattr(Tensor, form) or hasattr(functional, form)]


_QUOTIENTS = _names("div div_ divide true_divide __truediv__ __itruediv__ __rdiv__ __rtruediv__")
_POOLS = [f"{kind}max_pool{n}d" for kind in ("", "adaptive_") for n in (1, 2, 3)]
_PRODUCTS = _names("mul mul_ multiply __mul__ __rmul__ __imul__")
_MATRIX_PRODUCTS = _names("matmul __matmul__ __rmatmul__ bmm mm")
#: functions of one value that are linear but for kinks: their slope has no rounding error
_KINKED = _with_in_place(
    "relu relu6 leaky_relu hardtanh prelu rrelu abs absolute clamp clip clamp_min clamp_max"
    " threshold _threshold softshrink hardshrink"
)
_SMOOTH = _with_in_place(
    "gelu silu elu selu celu mish softplus softsign sigmoid tanh hardswish"
    " hardsigmoid logsigmoid log_sigmoid tanhshrink exp exp2 expm1 log log1p log2 log10 sqrt rsqrt"
    " reciprocal square erf erfc erfinv sin cos tan sinh cosh asin arcsin acos arccos atan arctan"
    " asinh arcsinh acosh arccosh atanh arctanh logit sinc lgamma digamma pow __pow__"
)
#: not linear, and without a rule; where one of them is met, completeness will tell
_WITHOUT = _names(
    "lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell cumprod prod norm"
    " linalg_norm linalg_vector_norm linalg_matrix_norm normalize var std var_mean std_mean cdist"
    " pairwise_distance dist maximum minimum fmax fmin min amin aminmax cummax cummin topk sort"
    " msort kthvalue median nanmedian quantile __rpow__ float_power addcdiv softmin"
    " gumbel_softmax local_response_norm cosine_similarity logcumsumexp logaddexp logaddexp2 hypot"
    " atan2 arctan2 xlogy round floor ceil trunc frac sign remainder fmod floor_divide"
    " __floordiv__ __rfloordiv__"
)
#: the same, but linear where a single operand changes
_PRODUCTS_WITHOUT = [
    *_with_in_place("addcmul addmm addbmm baddbmm addmv"),
    *_names("dot inner outer mv tensordot kron"),
]
HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_WITHOUT, _none),
    **dict.fromkeys(_PRODUCTS_WITHOUT, _linear_at_most),
    **dict.fromkeys(_SMOOTH, _values(kinked=False)),
    **dict.fromkeys(_KINKED, _values(kinked=True)),
    **dict.fromkeys(_PRODUCTS, _product(torch.mul)),
    **dict.fromkeys(_MATRIX_PRODUCTS, _product(torch.matmul)),
    **dict.fromkeys(_QUOTIENTS, _quotient),
    **dict.fromkeys(_POOLS, _max_pool),
    **dict.fromkeys(("max", "amax"), _maximum),
    "einsum": _einsum,
    "bilinear": _bilinear,
    "softmax": normalisation.over_dimension(rules.softmax),
    "log_softmax": normalisation.over_dimension(rules.log_softmax),
    "logsumexp": normalisation.logsumexp,
    "layer_norm": normalisation.layer_norm,
    "rms_norm": normalisation.rms_norm,
    "group_norm": normalisation.group_norm,
    "instance_norm": normalisation.instance_norm,
    "scaled_dot_product_attention": normalisation.dot_product,
    "multi_head_attention_forward": normalisation.multi_head,
    "glu": normalisation.gated_unit,
}
#: names of the same operations in `torch.special`
HANDLERS |= {f"special_{name}": HANDLERS[name] for name in HANDLERS if hasattr(torch.special, name)}
HANDLERS["special_expit"] = HANDLERS["sigmoid"]
