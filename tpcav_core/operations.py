"""Which rule of DeepLIFT each PyTorch operation takes, by the name of its function.

Names serve all forms of an operation: the function, the method, the operator and the module.
A handler gets the function, its arguments at the target, and the same call at the baseline.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from . import rules
from .errors import InputError
from .rules import Pair

Handler = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any], "Call"], Any]
#: what a handler returns for a call it has no rule for
NO_RULE = object()


class Call(NamedTuple):
    """An operation of the baseline's pass: its name and operands, and their versions then."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    versions: tuple[int, ...]

    @classmethod
    def of(cls, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Note a call before it is made."""
        if _is_in_place(name, kwargs):
            args = (args[0].clone(), *args[1:])
        return cls(name, args, kwargs, tuple(x._version for x in _tensors(args)))

    def checked(self) -> Call:
        """Return this call, or raise `InputError` if an operand was overwritten since."""
        if tuple(x._version for x in _tensors(self.args)) != self.versions:
            raise InputError(f"an operand of {self.name} is overwritten in place later")
        return self


def in_place(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
    """Return the result of an operation; of one in place, its operand with the result in it."""
    return args[0].copy_(result) if _is_in_place(name, kwargs) else result


def depends(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return whether an operand of a call carries gradients, that is depends on the layer."""
    return any(x.requires_grad for x in _tensors((*args, *kwargs.values())))


def _is_in_place(name: str, kwargs: dict[str, Any]) -> bool:
    ends = name.endswith("_") and not name.endswith("__")
    return ends or name in ("__imul__", "__itruediv__") or bool(kwargs.get("inplace"))


def _tensors(values: tuple[Any, ...]) -> list[Tensor]:
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (tuple, list)):
            found += [item for item in value if isinstance(item, Tensor)]
    return found


def _operand(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, tuple[Any, ...]]:
    """Return the first operand of a call, and its other positional arguments."""
    return (args[0], args[1:]) if args else (kwargs["input"], ())


def _pair(args: tuple[Any, ...], kwargs: dict[str, Any], call: Call) -> Pair:
    return _operand(args, kwargs)[0], _operand(call.args, call.kwargs)[0]


def _option(args: Any, kwargs: dict[str, Any], place: int, name: str, default: Any) -> Any:
    return args[place] if len(args) > place else kwargs.get(name, default)


def _values(kinked: bool) -> Handler:
    def handler(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
        x, b = _pair(args, kwargs, call)
        others = _operand(args, kwargs)[1]
        options = {key: value for key, value in kwargs.items() if key not in ("input", "inplace")}
        if depends(others, options):
            return NO_RULE
        clone = _is_in_place(call.name, kwargs)

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
    if _is_in_place(getattr(function, "__name__", ""), kwargs):
        args = (args[0].clone(), *args[1:])
    return function(*args, **kwargs)


def _two(args: Any, kwargs: Any, call: Call) -> tuple[Pair, Pair] | None:
    """Return both operands at target and baseline; None if one of them does not change."""
    mine, other = ((*a, *k.values())[:2] for a, k in ((args, kwargs), (call.args, call.kwargs)))
    if not all(isinstance(x, Tensor) for x in mine) or any(
        x is b for x, b in zip(mine, other, strict=True)
    ):
        return None
    return (mine[0], other[0]), (mine[1], other[1])


def _quotient(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    if kwargs.get("rounding_mode"):
        return NO_RULE
    (above, below), (above_b, below_b) = args[:2], call.args[:2]
    if call.name in ("__rdiv__", "__rtruediv__"):
        above, below, above_b, below_b = below, above, below_b, above_b
    if not isinstance(below, Tensor) or below is below_b:
        return _plain(function, args, kwargs)
    inverse = rules.rescale(torch.reciprocal, below, below_b, False)
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
    weight = _option(args, kwargs, 2, "weight", None)
    bias = _option(args, kwargs, 3, "bias", None)
    pairs = _two(args, {}, call)
    if pairs is None:
        return function(*args, **kwargs)
    found = rules.midpoint(lambda a, c: functional.bilinear(a, c, weight), *pairs)[0]
    return found if bias is None else found + bias


def _over_dimension(rule: Callable[..., Pair]) -> Handler:
    def handler(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
        dim = _option(args, kwargs, 1, "dim", None)
        if not isinstance(dim, int):
            return NO_RULE
        x, b = _pair(args, kwargs, call)
        kind = kwargs.get("dtype") or x.dtype
        return rule((x.to(kind), b.to(kind)), dim)[0]

    return handler


def _logsumexp(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    dim = _option(args, kwargs, 1, "dim", None)
    if isinstance(dim, (tuple, list)) and len(dim) == 1:
        (dim,) = dim
    if not isinstance(dim, int):
        return NO_RULE
    keepdim = bool(_option(args, kwargs, 2, "keepdim", False))
    return rules.logsumexp(_pair(args, kwargs, call), dim, keepdim)[0]


def _layer_norm(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    shape = _option(args, kwargs, 1, "normalized_shape", None)
    weight, bias = (
        _option(args, kwargs, place, name, None) for place, name in ((2, "weight"), (3, "bias"))
    )
    dims = tuple(range(-len(shape), 0))
    eps = _option(args, kwargs, 4, "eps", 1e-5)
    return _scaled(rules.normalise(_pair(args, kwargs, call), dims, eps)[0], weight, bias)


def _rms_norm(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    shape = _option(args, kwargs, 1, "normalized_shape", None)
    eps = _option(args, kwargs, 3, "eps", None)
    x, b = _pair(args, kwargs, call)
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    dims = tuple(range(-len(shape), 0))
    found = rules.normalise((x, b), dims, eps, centred=False)[0]
    return _scaled(found, _option(args, kwargs, 2, "weight", None), None)


def _group_norm(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    groups = _option(args, kwargs, 1, "num_groups", None)
    weight, bias = (
        _option(args, kwargs, place, name, None) for place, name in ((2, "weight"), (3, "bias"))
    )
    eps = _option(args, kwargs, 4, "eps", 1e-5)
    return _in_groups(_pair(args, kwargs, call), groups, weight, bias, eps)


def _instance_norm(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    if not _option(args, kwargs, 5, "use_input_stats", True):
        return function(*args, **kwargs)
    x, b = _pair(args, kwargs, call)
    weight, bias = (
        _option(args, kwargs, place, name, None) for place, name in ((3, "weight"), (4, "bias"))
    )
    return _in_groups((x, b), x.shape[1], weight, bias, _option(args, kwargs, 7, "eps", 1e-5))


def _in_groups(pair: Pair, groups: int, weight: Any, bias: Any, eps: float) -> Tensor:
    shape = pair[0].shape
    found = rules.normalise(tuple(rules.shares(t, groups) for t in pair), (-1,), eps)[0]
    each = (-1, *(1 for _ in shape[2:]))
    return _scaled(
        found.reshape(shape), *(None if t is None else t.reshape(each) for t in (weight, bias))
    )


def _scaled(value: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    value = value if weight is None else value * weight
    return value if bias is None else value + bias


def _attention(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    query, key, value = (
        (_option(args, kwargs, i, name, None), _option(call.args, call.kwargs, i, name, None))
        for i, name in enumerate(("query", "key", "value"))
    )
    if kwargs.get("enable_gqa") or _option(args, kwargs, 4, "dropout_p", 0.0):
        return NO_RULE
    mask = _option(args, kwargs, 3, "attn_mask", None)
    if _option(args, kwargs, 5, "is_causal", False):
        size = query[0].shape[-2], key[0].shape[-2]
        mask = torch.ones(size, dtype=torch.bool, device=query[0].device).tril()
    scale = kwargs.get("scale") or 1 / math.sqrt(query[0].shape[-1])
    return rules.attention(query, key, value, mask, scale)[0][0]


def _max_pool(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    if kwargs.get("return_indices"):
        return NO_RULE
    x, b = _pair(args, kwargs, call)
    others = _operand(args, kwargs)[1]
    pool = getattr(functional, call.name)
    options = {key: v for key, v in kwargs.items() if key not in ("input", "return_indices")}
    return rules.max_pool(
        x, b, lambda t, return_indices: pool(t, *others, return_indices=True, **options),
        int(call.name[-2]),
    )[0]


def _maximum(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    dim = _option(args, kwargs, 1, "dim", None)
    if isinstance(dim, (tuple, list)) and len(dim) == 1:
        (dim,) = dim
    if not isinstance(dim, int):
        return NO_RULE
    keepdim = bool(_option(args, kwargs, 2, "keepdim", False))
    found = rules.max_over(*_pair(args, kwargs, call), dim, keepdim)[0]
    if call.name == "amax":
        return found
    places = args[0].detach().max(dim, keepdim).indices
    return torch.return_types.max((found, places))


def _gated(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    return rules.gated(_pair(args, kwargs, call), _option(args, kwargs, 1, "dim", -1))[0]


def _none(function: Any, args: Any, kwargs: Any, call: Call) -> Any:
    return NO_RULE


_QUOTIENTS = "div div_ divide true_divide __truediv__ __itruediv__ __rdiv__ __rtruediv__".split()
_POOLS = [f"{kind}max_pool{n}d" for kind in ("", "adaptive_") for n in (1, 2, 3)]
#: not linear, and without a rule; where one of them is met, completeness will tell
_WITHOUT = (
    "lstm gru rnn_tanh rnn_relu lstm_cell gru_cell cumprod prod norm normalize var std cdist"
    " maximum minimum min amin topk sort median multi_head_attention_forward __rpow__ addcmul"
    " addcdiv addmm baddbmm softmin gumbel_softmax local_response_norm cosine_similarity"
)
HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_WITHOUT.split(), _none),
    **dict.fromkeys(rules.SMOOTH, _values(kinked=False)),
    **dict.fromkeys(rules.KINKED, _values(kinked=True)),
    **{
        name: _product(torch.matmul if "mm" in name or "matmul" in name else torch.mul)
        for name in rules.PRODUCTS
    },
    **dict.fromkeys(_QUOTIENTS, _quotient),
    **dict.fromkeys(_POOLS, _max_pool),
    **dict.fromkeys(("max", "amax"), _maximum),
    "einsum": _einsum,
    "bilinear": _bilinear,
    "softmax": _over_dimension(rules.softmax),
    "log_softmax": _over_dimension(rules.log_softmax),
    "logsumexp": _logsumexp,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "scaled_dot_product_attention": _attention,
    "glu": _gated,
}
