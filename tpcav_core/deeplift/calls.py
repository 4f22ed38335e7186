"""Calls of operations: an operation with its operands, as seen while a network runs."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from ..errors import InputError
from .rules import Pair

#: what a handler returns for a call it has no rule for
NO_RULE = object()


class UnfitError(InputError):
    """The operations of a network cannot be followed from baseline to target."""


class Call(NamedTuple):
    """An operation of the baseline's pass: its name and operands, and their versions then."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    versions: tuple[int, ...]

    @classmethod
    def of(cls, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Note a call before it is made."""
        if is_in_place(name, kwargs):
            args, kwargs = cloned(args, kwargs)
        return cls(name, args, kwargs, versions(args, kwargs))

    def checked(self) -> Call:
        """Return this call, or raise `UnfitError` if an operand was overwritten since."""
        if versions(self.args, self.kwargs) != self.versions:
            raise UnfitError(f"an operand of {self.name} is overwritten in place later")
        return self


def in_place(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
    """Return the result of an operation; of one in place, its operand with the result in it."""
    return operand(args, kwargs)[0].copy_(result) if is_in_place(name, kwargs) else result


def cloned(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the arguments of a call with a copy of its first operand, which it may overwrite."""
    if args:
        return (args[0].clone(), *args[1:]), kwargs
    return args, {**kwargs, "input": kwargs["input"].clone()}


def versions(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, ...]:
    """Return how often each operand of a call was overwritten so far."""
    return tuple(x._version for x in tensors((*args, *kwargs.values())))


def depends(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return whether an operand of a call carries gradients, that is depends on the layer."""
    return any(x.requires_grad for x in tensors((*args, *kwargs.values())))


def is_in_place(name: str, kwargs: dict[str, Any]) -> bool:
    """Return whether an operation overwrites its first operand."""
    ends = name.endswith("_") and not name.endswith("__")
    return ends or name in ("__imul__", "__itruediv__") or bool(kwargs.get("inplace"))


def tensors(values: tuple[Any, ...]) -> list[Tensor]:
    """Return the tensors among values, and in lists among them."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (tuple, list)):
            found += [item for item in value if isinstance(item, Tensor)]
    return found


def operand(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, tuple[Any, ...]]:
    """Return the first operand of a call, and its other positional arguments."""
    return (args[0], args[1:]) if args else (kwargs["input"], ())


def pair(args: tuple[Any, ...], kwargs: dict[str, Any], call: Call) -> Pair:
    """Return the first operand at target and baseline."""
    return operand(args, kwargs)[0], operand(call.args, call.kwargs)[0]


def two_operands(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """Return the first two operands of a call, given by place or by any name they have."""
    first = (*args[:1], *(kwargs[name] for name in ("input", "input1") if name in kwargs))
    names = ("other", "mat2", "input2")
    return first[0], (*args[1:2], *(kwargs[name] for name in names if name in kwargs))[0]


def option(args: Any, kwargs: dict[str, Any], place: int, name: str, default: Any) -> Any:
    """Return an argument that may be given by place or by name."""
    return args[place] if len(args) > place else kwargs.get(name, default)


def one_dimension(args: Any, kwargs: dict[str, Any]) -> tuple[int | None, bool]:
    """Return the dimension that a reduction is over, None if not a single one, and ``keepdim``."""
    dim = option(args, kwargs, 1, "dim", None)
    if isinstance(dim, (tuple, list)) and len(dim) == 1:
        (dim,) = dim
    keepdim = bool(option(args, kwargs, 2, "keepdim", False))
    return (dim if isinstance(dim, int) else None), keepdim
