"""Named modules of a network: find one, run a forward pass that stops at it.

A layer goes by the module's name; where a module is called several times in a pass, ``name@2`` is
its second call. Of a layer that returns a tuple, the first tensor is meant.

Of a `tpcav_core.strands.StrandAverage`, layers are those of the wrapped model, and shape and d are
those of both strands, forward first. Nothing here changes the model: hooks are removed and
training flags restored, also on error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .errors import InputError, suggest
from .inputs import Inputs
from .strands import as_rows, output_by_strand, strands, unwrapped

Hook = Callable[[nn.Module, Any, Any], None]
LIST_HINT = "`python -m tpcav_core layers` lists them"


class LayerReached(BaseException):
    """Ends the forward pass; not an Exception, so that no handler in the model swallows it."""


def split_call(layer: str) -> tuple[str, int | None]:
    """Return the module's name, and which of its calls is meant, from 1; None if it says none."""
    name, mark, number = layer.rpartition("@")
    if not mark:
        return layer, None
    if not number.isdigit() or int(number) < 1:
        raise InputError(f"layer {layer!r}: expected a number from 1 after @, {name}@1")
    return name, int(number)


def get_layer(model: nn.Module, name: str) -> nn.Module:
    """Return the module of a layer, or raise `InputError` with the nearest name."""
    name, _ = split_call(name)
    modules: dict[str, nn.Module] = dict(unwrapped(model).named_modules(remove_duplicate=False))
    modules.pop("", None)
    if name not in modules:
        raise InputError(
            f"layer {name!r}: not among the {len(modules)} layers of the"
            f" model{suggest(name, modules)}; {LIST_HINT}"
        )
    return modules[name]


def layer_output(model: nn.Module, layer: str, inputs: Tensor | Inputs) -> Tensor:
    """Run the model up to a layer and return that layer's output, flattened.

    The pass ends right after the layer's call, runs in evaluation mode and without gradients. See
    `layer_checks.check_layer` for a full check of a layer before a long run.

    Args:
        model: the network, on the device of the inputs.
        layer: the layer's name, as in ``model.named_modules()``, see `get_layer`.
        inputs: what the model is called with: a tensor or a tuple of tensors, n rows each.

    Returns:
        Activations, (n, d), unstandardised, in the layer's own dtype and on its device.

    Raises:
        InputError: no such layer, the layer is never called (that often), or its output is no
            tensor with n rows.
    """
    inputs = as_tuple(inputs)
    reached: list[Any] = []
    wanted = split_call(layer)[1] or 1

    def stop(module: nn.Module, arguments: Any, output: Any) -> None:
        reached.append(output)
        if len(reached) == wanted:
            raise LayerReached

    with observed(model, [(get_layer(model, layer), stop)]):
        try:
            output_by_strand(model, inputs)
        except LayerReached:
            pass
        else:
            raise InputError(never_called(layer))
    return as_rows(model, checked_output(model, layer, reached[-1], len(inputs[0])))


def checked_output(model: nn.Module, layer: str, output: Any, n: int) -> Tensor:
    """Return the first tensor of a layer's output, which must have a row for each example."""
    tensor = first_tensor(output)
    if tensor is None or not tensor.is_floating_point():
        what = f"a {type(output).__name__}" if tensor is None else str(tensor.dtype)
        raise InputError(
            f"layer {layer!r}: output is {what}, expected a tensor of floating-point numbers or a"
            f" tuple that has one; choose a layer inside or after it ({LIST_HINT})"
        )
    if tensor.ndim == 0 or len(tensor) != n * strands(model):
        raise InputError(
            f"layer {layer!r}: output has shape {tuple(tensor.shape)} for {n} examples, expected"
            f" examples in the first dimension; choose another layer ({LIST_HINT})"
        )
    return tensor


def never_called(layer: str) -> str:
    """Return what to say of a layer that a pass does not reach."""
    _, call = split_call(layer)
    often = "never called" if call in (None, 1) else f"called less than {call} times"
    return (
        f"layer {layer!r}: {often} in the model's forward pass; choose one that is called"
        f" ({LIST_HINT})"
    )


def first_tensor(output: Any) -> Tensor | None:
    """Return the first tensor in a layer's output; None if there is none."""
    if isinstance(output, dict):
        output = list(output.values())
    if isinstance(output, (tuple, list)):
        return next((tensor for tensor in map(first_tensor, output) if tensor is not None), None)
    return output if isinstance(output, Tensor) else None


def as_tuple(inputs: Tensor | Inputs) -> Inputs:
    """Return a model's inputs as a tuple."""
    return (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)


@contextmanager
def observed(model: nn.Module, hooks: Iterable[tuple[nn.Module, Hook]]) -> Iterator[None]:
    """Attach forward hooks, in evaluation mode and without gradients; undo all of it after."""
    training = [module for module in model.modules() if module.training]
    handles = []
    try:
        for module in training:
            module.training = False
        for module, hook in hooks:
            handles.append(module.register_forward_hook(hook))
        with torch.no_grad():
            yield
    finally:
        for handle in handles:
            handle.remove()
        for module in training:
            module.training = True
